"""`tradeveil bank`: keys, and a financing from its application to its repayment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parties.bank import checking, listing
from parties.bank.alert import KINDS, Told, send_alert
from parties.bank.application import check_application, check_terms, read_application
from parties.bank.batch import approval_files, commit_files, finish_batches
from parties.bank.check import CheckReport, alert_regulator, check_papers
from parties.bank.commit import commit_file
from parties.bank.desk import Desk
from parties.bank.draft import Terms, draft_record, prepare_draft, write_draft
from parties.bank.move import prepare_move
from parties.bank.receive import Reception, decide, receive
from parties.bank.records import Book, FinancingRecord
from parties.bank.repayment import Booked, Instruction, close, disburse, release, repay
from parties.common import output, runtime
from parties.common.commands import (
    HomeOption,
    JsonOption,
    NameOption,
    OriginOption,
    OutputOption,
    ServiceOption,
    command,
    new_app,
)
from parties.common.errors import EXIT_REFUSED, InputError
from parties.common.home import IDENTITY_FILE, Home, read_bytes
from parties.common.keyring import About, create_signer, load_signer
from parties.common.money import Money
from parties.common.rotation import rotate_request_key
from parties.common.sheet import Sheet
from schemas.domain.csv_form import MAXIMUM_BYTES
from schemas.sealed import Application
from zkcore.operations import ACCEPTED, APPROVED, REJECTED, WRITTEN_OFF

app = new_app("""Bank: a financing from its application to its repayment. 银行：申请、受理、审核、登记、放款、还款

\b
    tradeveil bank keys   --home bank-a --origin trade.example/log --holder 310000-0001-01 --name "甲银行"
    tradeveil bank check    --home bank-a --service http://127.0.0.1:8440 papers.csv --failed failed.csv
    tradeveil bank receive  --home bank-a --service http://127.0.0.1:8440 application.json --reference A-1 --by Li
    tradeveil bank accept   --home bank-a --service http://127.0.0.1:8440 A-1 --by Li
    tradeveil bank review   --home bank-a --service http://127.0.0.1:8440 A-1 --approve --by Wang
    tradeveil bank draft    --home bank-a --service http://127.0.0.1:8440 --reference A-1 -o draft.json
    tradeveil bank commit   --home bank-a --service http://127.0.0.1:8440 approval.json
    tradeveil bank commit   --home bank-a --service http://127.0.0.1:8440 approvals/
    tradeveil bank disburse --home bank-a --service http://127.0.0.1:8440 --reference A-1
    tradeveil bank repay    --home bank-a --service http://127.0.0.1:8440 --reference A-1
                          --amount "USD 200000.00" --reason repaid-own-funds
""")

HolderOption = Annotated[str, typer.Option("--holder", help="Your institution's code. 金融机构代码")]
ReferenceOption = Annotated[str, typer.Option("--reference", help="Your own number of the financing. 本行业务编号")]
FinancingOption = Annotated[str, typer.Option("--financing", help="The financing's id, as listed. 融资编号")]
NumberOption = Annotated[str, typer.Option("--number", help="One paper alone, if there are several. 单证编号")]
ByOption = Annotated[str, typer.Option("--by", help="Who does it. 经办或复核人")]
OutletOption = Annotated[str, typer.Option("--outlet", help="The outlet that lends. 经办网点")]
ReferenceArgument = Annotated[str, typer.Argument(help="Your own number of the financing. 本行业务编号")]
NoteOption = Annotated[str, typer.Option("--note", help="For the owner and the regulator alone. 附言")]


@app.command("keys")
@command
def keys_command(home: HomeOption, origin: OriginOption, holder: HolderOption, name: NameOption) -> None:
    """Make the bank's keys and its identity file. 生成密钥与身份文件"""
    created = Home.create(home)
    create_signer(created, runtime.suite(), About("bank", holder, name, origin), runtime.randomness())
    path = created.path(IDENTITY_FILE)
    output.say(
        f"Keys made. Give {path} to your customers; everything else in {home} is secret.",
        f"密钥已生成。请将 {path} 提供给客户；{home} 中其余内容均须保密。",
    )


@app.command("show")
@command
def show_command(
    home: HomeOption,
    what: Annotated[str, typer.Argument(help="An application file, or your reference of a financing. 申请文件或业务编号")],
    service: Annotated[
        str | None,
        typer.Option("--service", help="Check credentials and documents there too. 服务地址", envvar="TRADEVEIL_SERVICE"),
    ] = None,
) -> None:
    """Open an application, show and check it; or show a financing by its reference. 查看并核对融资申请，或查看融资"""
    if not Path(what).is_file():
        show_draws([Book(Home(home)).by_reference(what)])
        return
    signer = load_signer(Home(home), runtime.suite(), "bank")
    opened = read_application(Path(what), signer)
    show_application(opened)
    if service is None:
        check_terms(signer, opened, runtime.now())
        output.remark("Credentials and documents are not checked: give --service.", "凭证与单证尚未核验：请指定 --service。")
        return
    check_application(open_desk(home, service), opened)
    output.say(
        "Checked: signed credentials, financeable documents, your key, conversion.",
        "已核验：凭证签名、单证状态、密钥、汇率折算。",
    )


@app.command("receive")
@command
def receive_command(
    home: HomeOption,
    service: ServiceOption,
    application: Annotated[Path, typer.Argument(help="An application file from an enterprise. 融资申请文件")],
    reference: ReferenceOption = "",
    outlet: OutletOption = "",
    by: ByOption = "",
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Check an application and put it on the log 收件, for the regulator to see. Safe to run again."""
    desk = open_desk(home, service)
    checked = check_application(desk, read_application(application, desk.signer))
    _show_record(desk, receive(desk, checked, Reception(reference, outlet, note, by)), as_json=as_json)


@app.command("accept")
@command
def accept_command(
    home: HomeOption,
    service: ServiceOption,
    reference: ReferenceArgument,
    by: ByOption = "",
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Accept an application for review 受理. Safe to run again."""
    desk = open_desk(home, service)
    _show_record(desk, decide(desk, reference, ACCEPTED, by=by, note=note), as_json=as_json)


@app.command("review")
@command
def review_command(
    home: HomeOption,
    service: ServiceOption,
    reference: ReferenceArgument,
    approve: Annotated[bool, typer.Option("--approve/--reject", help="The decision. 审核通过或不通过")],
    by: ByOption = "",
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Approve or reject an application 审核. Whoever received it (by --by) does not approve it. Safe to run again."""
    desk = open_desk(home, service)
    _show_record(desk, decide(desk, reference, APPROVED if approve else REJECTED, by=by, note=note), as_json=as_json)


@app.command("draft")
@command
def draft_command(
    home: HomeOption,
    service: ServiceOption,
    out: OutputOption,
    application: Annotated[
        Path | None, typer.Argument(help="An application file; not needed for one that was received. 融资申请文件")
    ] = None,
    amount: Annotated[str, typer.Option("--amount", help='Grant less than asked, like "USD 500000.00". 核准金额')] = "",
    reference: ReferenceOption = "",
    outlet: OutletOption = "",
    note: NoteOption = "",
    redo: Annotated[bool, typer.Option("--redo", help="Replace earlier drafts of this application. 重新出具草案")] = False,
) -> None:
    """Draft the draws of an application, sealed to whoever proves the headroom 出具登记草案.

    An application that was not received yet is checked, received, accepted and approved in one go. One that was received has to
    be reviewed first: name it by --reference.
    """
    desk = open_desk(home, service)
    terms = Terms(reference, outlet, note, Money.parse(amount) if amount else None)
    if application is not None:
        checked = check_application(desk, read_application(application, desk.signer))
        record = prepare_draft(desk, checked, terms, redo=redo)
    else:
        record = draft_record(desk, desk.book.by_reference(reference), terms, redo=redo)
    _write_draft(desk, record, out)


@app.command("move")
@command
def move_command(
    home: HomeOption,
    service: ServiceOption,
    reference: ReferenceArgument,
    out: OutputOption,
    note: NoteOption = "",
) -> None:
    """Draft the move of draws whose paper was deleted and replaced 转移登记. The owner approves it; then commit."""
    desk = open_desk(home, service)
    _write_draft(desk, prepare_move(desk, reference, note), out)


def _write_draft(desk: Desk, record: FinancingRecord, out: Path) -> None:
    write_draft(desk, record, out)
    reader_en, reader_zh = ("the enterprise", "企业") if record.prover == "owner" else ("the regulator", "监管方")
    output.say(
        f"Draft {record.reference} written to {out}, sealed to {reader_en}. Nothing is committed yet.",
        f"草案 {record.reference} 已写入 {out}，密封给{reader_zh}。尚未登记。",
    )


@app.command("commit")
@command
def commit_command(
    home: HomeOption,
    service: ServiceOption,
    approvals: Annotated[
        list[Path], typer.Argument(help="Approval files, the answers to your drafts, or directories of them. 批准文件或其目录")
    ],
    as_json: JsonOption = False,
) -> None:
    """Verify and commit financings, each all or none. Safe to run again. 核验并登记，可重复运行

    One file is sent by itself; several are one batch, in which none hinders another.
    """
    desk, files = open_desk(home, service), approval_files(approvals)
    if approvals != files or len(files) > 1:
        commit_many(desk, files, as_json)
        return
    with desk.home.lock():
        finish_batches(desk, lambda done, total: None)
    record = commit_file(desk, files[0])
    if as_json:
        output.print_json(listing.describe_financing(record, desk.now))
        return
    output.say(
        f"Committed: {record.reference}. It is reserved for you; disburse it before it expires.",
        f"已登记：{record.reference}。额度已预留；请在到期前登记放款。",
    )
    show_draws([record])


def commit_many(desk: Desk, files: list[Path], as_json: bool) -> None:
    """A batch, with a line for every file. Exits with 1 when one of them is not committed."""
    if not files:
        raise InputError("no-approvals", "there is no approval file here", "没有批准文件")
    with output.progress(f"committing {len(files)} financings") as report:
        results = commit_files(desk, files, report)
    if as_json:
        output.print_json({"results": [listing.describe_result(result, desk.now) for result in results]})
    else:
        done = sum(result.committed for result in results)
        output.show_table("Financings 融资", listing.RESULT_COLUMNS, [listing.result_row(result) for result in results])
        output.say(f"Committed: {done} of {len(results)}.", f"已登记 {done} 笔，共 {len(results)} 笔。")
    if not all(result.committed for result in results):
        raise typer.Exit(EXIT_REFUSED)


@app.command("check")
@command
def check_command(
    home: HomeOption,
    service: ServiceOption,
    papers: Annotated[
        Path, typer.Argument(help="Papers as CSV: number, credit code, currency, total, date. 待核验报关单 CSV 文件")
    ],
    failed: Annotated[
        Path | None, typer.Option("--failed", help="Write the rows that did not pass here, with reasons. 未通过的行写入此文件")
    ] = None,
    silent: Annotated[
        bool, typer.Option("--no-alert", help="Do not tell the regulator of papers that are not confirmed. 不向监管方发送警示")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check that papers are authentic and financeable, up to 5,000 at once, without showing them. 核验报关单真实性

    The first row names the columns 海关编号, 生产销售单位统一社会信用代码, 币制, 总价, 申报日期 (or declaration_number,
    owner_credit_code, currency, total, declared_on). Exit code 0: all passed; 1: some did not; 3: the service does not answer.
    Papers that are not confirmed are told to the regulator, sealed. Compare them with the original first where you can.
    """
    content, desk = read_bytes(papers, MAXIMUM_BYTES), open_desk(home, service)
    report = check_papers(desk, content)
    if failed is not None and report.errors:
        Sheet.read(content).write_refused(failed, report.failed_rows, report.errors)
    if as_json:
        output.print_json(checking.describe_check(report))
    else:
        show_check(report, failed)
    if not silent and (told := alert_regulator(desk, report)):
        output.remark(f"{told} papers were told to the regulator.", f"已就 {told} 份报关单向监管方发送警示。")
    if report.errors:
        raise typer.Exit(EXIT_REFUSED)


def show_check(report: CheckReport, failed: Path | None) -> None:
    """What became of a file, for a person: the rows that passed, those that did not, and the sum."""
    output.show_table("Checked 已核验", checking.CHECK_COLUMNS, checking.check_rows(report), right=checking.TOTAL_COLUMN)
    for english, chinese in checking.summary(report):
        output.say(english, chinese)
    if failed is not None and report.errors:
        output.say(f"The rows that did not pass are in {failed}, with the reasons.", f"未通过的行及原因已写入 {failed}。")


@app.command("list")
@command
def list_command(home: HomeOption, as_json: JsonOption = False) -> None:
    """List your financings with their stages. 查看本行融资及阶段"""
    _list(home, as_json=as_json)


@app.command("draws")
@command
def draws_command(home: HomeOption, as_json: JsonOption = False) -> None:
    """The same as `list`. 查看本行登记"""
    _list(home, as_json=as_json)


def _list(home: Path, *, as_json: bool) -> None:
    records, now = list(Book(Home(home))), runtime.now()
    if as_json:
        output.print_json({"financings": [listing.describe_financing(record, now) for record in records]})
    else:
        show_draws(records)


@app.command("disburse")
@command
def disburse_command(
    home: HomeOption,
    service: ServiceOption,
    amount: Annotated[
        str,
        typer.Option("--amount", help='Pay out less than is reserved, like "USD 200000.00"; the rest is released. 放款金额'),
    ] = "",
    reference: ReferenceOption = "",
    financing: FinancingOption = "",
    number: NumberOption = "",
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Record that the money was paid out 放款登记: all lines, or one. Safe to run again."""
    parsed = Money.parse(amount) if amount else None
    instruction = Instruction("", parsed, False, reference, financing, number, note)
    desk = open_desk(home, service)
    _show_booked(desk, disburse(desk, instruction), as_json=as_json)


@app.command("repay")
@command
def repay_command(
    home: HomeOption,
    service: ServiceOption,
    reason: Annotated[str, typer.Option("--reason", help="repaid-own-funds or repaid-proceeds. 还款来源")],
    amount: Annotated[str, typer.Option("--amount", help='Like "USD 200000.00"; with --settle alone: everything. 金额')] = "",
    reference: ReferenceOption = "",
    financing: FinancingOption = "",
    number: NumberOption = "",
    settle: Annotated[bool, typer.Option("--settle", help="Nothing remains: close it. 全部结清")] = False,
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Book a repayment 还款登记 of one line; with --settle and no amount, of all. Safe to run again."""
    parsed = Money.parse(amount) if amount else None
    instruction = Instruction(reason, parsed, settle, reference, financing, number, note)
    desk = open_desk(home, service)
    _show_booked(desk, repay(desk, instruction), as_json=as_json)


@app.command("release")
@command
def release_command(
    home: HomeOption,
    service: ServiceOption,
    reference: ReferenceOption = "",
    financing: FinancingOption = "",
    number: NumberOption = "",
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give up what is reserved and not disbursed 撤销预留: the headroom comes back. Safe to run again."""
    desk = open_desk(home, service)
    instruction = Instruction("", None, True, reference, financing, number, note)
    _show_booked(desk, release(desk, instruction), as_json=as_json)


@app.command("write-off")
@command
def write_off_command(
    home: HomeOption,
    service: ServiceOption,
    amount: Annotated[str, typer.Option("--amount", help="Without it, all that is outstanding, and the draw ends. 金额")] = "",
    reference: ReferenceOption = "",
    financing: FinancingOption = "",
    number: NumberOption = "",
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write off what will not be repaid 核销. Safe to run again."""
    parsed = Money.parse(amount) if amount else None
    desk = open_desk(home, service)
    instruction = Instruction(WRITTEN_OFF, parsed, parsed is None, reference, financing, number, note)
    _show_booked(desk, repay(desk, instruction), as_json=as_json)


@app.command("close")
@command
def close_command(
    home: HomeOption,
    service: ServiceOption,
    reference: ReferenceOption = "",
    financing: FinancingOption = "",
    number: NumberOption = "",
    as_json: JsonOption = False,
) -> None:
    """Close what is repaid in full 结清. Safe to run again."""
    desk = open_desk(home, service)
    _show_booked(desk, close(desk, Instruction("", None, False, reference, financing, number)), as_json=as_json)


def _show_booked(desk: Desk, booked: Booked, *, as_json: bool) -> None:
    _show_record(desk, booked.record, as_json=as_json)


def _show_record(desk: Desk, record: FinancingRecord, *, as_json: bool) -> None:
    if as_json:
        output.print_json(listing.describe_financing(record, desk.now))
        return
    output.say(f"Recorded on the log: {record.reference}.", f"已登记：{record.reference}。")
    show_draws([record])


@app.command("alert")
@command
def alert_command(
    home: HomeOption,
    service: ServiceOption,
    kind: Annotated[str, typer.Option("--kind", help=f"{', '.join(KINDS)}. 警示种类")],
    number: Annotated[str, typer.Option("--number", help="The declaration, as it was presented. 报关单号")] = "",
    holder: Annotated[str, typer.Option("--holder", help="Credit code of who presented it. 出示方代码")] = "",
    reference: ReferenceOption = "",
    note: NoteOption = "",
) -> None:
    """Tell the regulator of something, sealed: the service cannot read it. 向监管方发送警示"""
    send_alert(open_desk(home, service), Told(kind, number, holder, reference, note))
    output.say("Sent; the regulator alone can read it.", "已发送，仅监管方可读。")


@app.command("rotate-key")
@command
def rotate_key_command(home: HomeOption, service: ServiceOption) -> None:
    """Change the key that signs your requests. Safe to run again. 更换请求签名密钥"""
    rotate_request_key(Home(home), "bank", service)


def open_desk(home: Path, service: str) -> Desk:
    """The bank at work, with the real clock and randomness. Raises HomeError when there are no keys."""
    suite, place = runtime.suite(), Home(home)
    signer = load_signer(place, suite, "bank")
    return Desk(suite, place, signer, runtime.connect(service, signer.requester), runtime.randomness(), runtime.now())


def show_application(application: Application) -> None:
    """An application for a person."""
    for what, value in listing.application_facts(application).items():
        output.say(f"{what}: {value}")
    output.show_table(
        "Application 融资申请",
        listing.LINE_COLUMNS,
        listing.application_rows(application),
        right=("limit 额度", "amount 申请金额"),
    )


def show_draws(records: list[FinancingRecord]) -> None:
    """Draws for a person."""
    rows = listing.draw_rows(records, runtime.now())
    output.show_table("Financings 融资", listing.DRAW_COLUMNS, rows, right=listing.AMOUNT_COLUMNS)
