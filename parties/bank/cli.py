"""`tradeveil bank`: keys, applications, drafts, verify-and-commit, repayments."""

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
from parties.bank.draft import Terms, prepare_draft, write_draft
from parties.bank.records import Book, FinancingRecord
from parties.bank.repayment import Instruction, repay
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
from parties.common.money import Money, money_text
from parties.common.rotation import rotate_request_key
from parties.common.sheet import Sheet
from schemas.domain.csv_form import MAXIMUM_BYTES
from schemas.sealed import Application

app = new_app("""Bank: drafts, verify-and-commit, repayments. 银行：草案、核验登记、还款

\b
    tradeveil bank keys   --home bank-a --origin trade.example/log --holder 310000-0001-01 --name "甲银行"
    tradeveil bank check  --home bank-a --service http://127.0.0.1:8440 papers.csv --failed failed.csv
    tradeveil bank draft  --home bank-a --service http://127.0.0.1:8440 application.json --reference A-1 -o draft.json
    tradeveil bank commit --home bank-a --service http://127.0.0.1:8440 approval.json
    tradeveil bank commit --home bank-a --service http://127.0.0.1:8440 approvals/
    tradeveil bank repay  --home bank-a --service http://127.0.0.1:8440 --reference A-1
                          --amount "USD 200000.00" --reason repaid-own-funds
""")

HolderOption = Annotated[str, typer.Option("--holder", help="Your institution's code. 金融机构代码")]
ReferenceOption = Annotated[str, typer.Option("--reference", help="Your own number of the financing. 本行业务编号")]
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
    application: Annotated[Path, typer.Argument(help="An application file from an enterprise. 融资申请文件")],
    service: Annotated[
        str | None,
        typer.Option("--service", help="Check credentials and documents there too. 服务地址", envvar="TRADEVEIL_SERVICE"),
    ] = None,
) -> None:
    """Open an application, show and check it. 查看并核对融资申请"""
    signer = load_signer(Home(home), runtime.suite(), "bank")
    opened = read_application(application, signer)
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


@app.command("draft")
@command
def draft_command(
    home: HomeOption,
    service: ServiceOption,
    application: Annotated[Path, typer.Argument(help="An application file from an enterprise. 融资申请文件")],
    out: OutputOption,
    amount: Annotated[str, typer.Option("--amount", help='Grant less than asked, like "USD 500000.00". 核准金额')] = "",
    reference: ReferenceOption = "",
    outlet: Annotated[str, typer.Option("--outlet", help="The outlet that lends. 经办网点")] = "",
    note: NoteOption = "",
    redo: Annotated[bool, typer.Option("--redo", help="Replace earlier drafts of this application. 重新出具草案")] = False,
) -> None:
    """Check an application and draft its draws, sealed to whoever proves the headroom. 出具登记草案"""
    desk = open_desk(home, service)
    checked = check_application(desk, read_application(application, desk.signer))
    terms = Terms(reference, outlet, note, Money.parse(amount) if amount else None)
    record = prepare_draft(desk, checked, terms, redo=redo)
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
        output.print_json(listing.describe_financing(record))
        return
    output.say(f"Committed: {record.reference}. You may pay out.", f"已登记：{record.reference}。可以放款。")
    show_draws([record])


def commit_many(desk: Desk, files: list[Path], as_json: bool) -> None:
    """A batch, with a line for every file. Exits with 1 when one of them is not committed."""
    if not files:
        raise InputError("no-approvals", "there is no approval file here", "没有批准文件")
    with output.progress(f"committing {len(files)} financings") as report:
        results = commit_files(desk, files, report)
    if as_json:
        output.print_json({"results": [listing.describe_result(result) for result in results]})
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


@app.command("draws")
@command
def draws_command(home: HomeOption, as_json: JsonOption = False) -> None:
    """List your draws. 查看本行登记"""
    records = list(Book(Home(home)))
    if as_json:
        output.print_json({"financings": [listing.describe_financing(record) for record in records]})
    else:
        show_draws(records)


@app.command("repay")
@command
def repay_command(
    home: HomeOption,
    service: ServiceOption,
    reason: Annotated[str, typer.Option("--reason", help="repaid-own-funds, repaid-proceeds, released or written-off. 原因")],
    amount: Annotated[str, typer.Option("--amount", help='Like "USD 200000.00"; with --settle alone: everything. 金额')] = "",
    reference: ReferenceOption = "",
    financing: Annotated[str, typer.Option("--financing", help="The financing's id, as listed. 融资编号")] = "",
    number: Annotated[str, typer.Option("--number", help="The declaration, if there are several. 报关单号")] = "",
    settle: Annotated[bool, typer.Option("--settle", help="Nothing remains: close the draw. 全部结清")] = False,
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Book a repayment, release or write-off of one draw. Safe to run again. 登记还款、撤销或核销"""
    parsed = Money.parse(amount) if amount else None
    instruction = Instruction(reason, parsed, settle, reference, financing, number, note)
    booked = repay(open_desk(home, service), instruction)
    line = booked.line
    if as_json:
        output.print_json(listing.describe_financing(booked.record))
        return
    left = money_text(line.outstanding.amount, line.credential.currency)
    state_en, state_zh = ("closed", "已结清") if line.standing is not None and line.standing.closed else ("open", "未结清")
    output.say(
        f"Booked on {booked.record.reference}: {left} outstanding, {state_en}.",
        f"已登记 {booked.record.reference}：未结清 {left}，{state_zh}。",
    )


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
    output.show_table("Draws 登记", listing.DRAW_COLUMNS, listing.draw_rows(records), right=listing.AMOUNT_COLUMNS)
