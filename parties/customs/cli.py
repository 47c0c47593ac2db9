"""`tradeveil customs`, for any attester: keys, enrolment of enterprises, papers registered, changed and amended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from parties.common import output, runtime
from parties.common.commands import HomeOption, JsonOption, OriginOption, ServiceOption, command, describe, new_app
from parties.common.errors import EXIT_REFUSED
from parties.common.home import IDENTITY_FILE, Home, read_bytes, read_identity
from parties.common.keyring import About, create_signer, load_signer
from parties.common.money import Money, money_text
from parties.common.rotation import rotate_request_key
from parties.common.sheet import Sheet
from parties.customs.change import Changes, amend, amend_file, change_status, find_records
from parties.customs.enrol import Enrolment, enrol
from parties.customs.publish import publish_all
from parties.customs.register import USUAL_KIND, DocumentRecord, Office, Report, register_declarations
from schemas.domain.csv_form import MAXIMUM_BYTES, RowError
from schemas.wire import encode_base64url
from zkcore.operations import AMENDED, PARTLY_RETURNED

app = new_app("""Customs, or another attester: register papers with a limit that nobody else can read. 海关等签发方：登记单证

\b
    tradeveil customs keys     --home customs --origin trade.example/log
    tradeveil customs enrol    --home customs enterprise/identity.json
    tradeveil customs register --home customs --service http://127.0.0.1:8440 declarations.csv --failed failed.csv
    tradeveil customs status   --home customs --service http://127.0.0.1:8440 232520260028296053 frozen
    tradeveil customs amend    --home customs --service http://127.0.0.1:8440 newer.csv
    tradeveil customs publish  --home customs --service http://127.0.0.1:8440
""")

_STATES = {"enrolled": "enrolled 已登记", "already": "was enrolled 此前已登记", "refused": "refused 未通过"}


KindOption = Annotated[str, typer.Option("--kind", help="Kind of document, as the log's parameters name it. 单证种类")]
CounterOption = Annotated[str, typer.Option("--counter", help="One counter alone, like payment. 仅此计数")]
CurrencyOption = Annotated[str, typer.Option("--currency", help="One currency alone. 仅此币种")]
NoteOption = Annotated[str, typer.Option("--note", help="For the owner and the regulator alone. 附言")]
FailedOption = Annotated[
    Path | None, typer.Option("--failed", help="Write the refused rows here, with reasons. 未通过的行写入此文件")
]


@app.command("keys")
@command
def keys_command(
    home: HomeOption,
    origin: OriginOption,
    holder: Annotated[str, typer.Option("--holder", help="Identifier of this attester. 签发方标识")] = "customs",
    name: Annotated[str, typer.Option("--name", help="Name that people read. 名称")] = "Customs 海关",
) -> None:
    """Make keys 生成密钥. Give identity.json to the operator of the service."""
    about = About("attester", holder, name, origin)
    create_signer(Home.create(home), runtime.suite(), about, runtime.randomness())
    output.say(
        f"Keys made. Give {home / IDENTITY_FILE} to the operator of the service; keep the rest of {home} secret.",
        f"密钥已生成。请将 {home / IDENTITY_FILE} 交给服务运营方；{home} 中其余文件须保密。",
    )


@app.command("enrol")
@command
def enrol_command(
    home: HomeOption,
    identities: Annotated[list[Path], typer.Argument(help="identity.json of each enterprise. 企业身份文件")],
    as_json: JsonOption = False,
) -> None:
    """Enrol enterprises 登记企业, so that their declarations can be registered."""
    suite, place = runtime.suite(), Home(home)
    customs = load_signer(place, suite, "attester")
    results = enrol(place, suite, customs, [read_identity(path) for path in identities])
    if as_json:
        output.print_json([_enrolment_json(result) for result in results])
    else:
        rows = [[r.identity.holder, r.identity.name, _STATES[r.state], str(r.error or "")] for r in results]
        output.show_table("Enterprises 企业", ["Credit code 信用代码", "Name 名称", "State 结果", "Why 原因"], rows)
    if any(result.error for result in results):
        raise typer.Exit(EXIT_REFUSED)


@app.command("rotate-key")
@command
def rotate_key_command(home: HomeOption, service: ServiceOption) -> None:
    """Change the key that signs your requests 更换请求签名密钥. Safe to run again."""
    rotate_request_key(Home(home), "attester", service)


@app.command("register")
@command
def register_command(
    home: HomeOption,
    service: ServiceOption,
    papers: Annotated[Path, typer.Argument(help="Papers as CSV, declarations in the Customs form. 单证 CSV 文件")],
    kind: KindOption = USUAL_KIND,
    failed: FailedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register papers 登记单证. Run it again after an interruption: nothing is registered twice.

    What is declared or released is registered too, and can be financed once it is cleared. Exit code 1 when a row was refused;
    the others are registered all the same.
    """
    office = open_office(home, service)
    content = read_bytes(papers, MAXIMUM_BYTES)
    with output.progress("registering 登记", hidden=as_json) as progress:
        report = register_declarations(office, content, progress, kind)
    if failed is not None and report.errors:
        Sheet.read(content).write_refused(failed, report.refused_rows, report.errors)
    if as_json:
        output.print_json(_report_json(report))
    else:
        _show_report(report, failed)
    if report.errors:
        raise typer.Exit(EXIT_REFUSED)


@app.command("publish")
@command
def publish_command(home: HomeOption, service: ServiceOption, as_json: JsonOption = False) -> None:
    """Publish what banks check papers against, under the service's newest evaluation key. 发布真实性记录

    `register` and `amend` do it for what they change. Run this when the operator has begun a new key, or after an interruption.
    """
    office = open_office(home, service)
    with office.home.lock(), output.progress("publishing 发布", hidden=as_json) as progress:
        published = publish_all(office, progress)
    if as_json:
        output.print_json({"published": published})
    else:
        output.say(f"{published} records published.", f"已发布 {published} 条真实性记录。")


@app.command("status")
@command
def status_command(
    home: HomeOption,
    service: ServiceOption,
    number: Annotated[str, typer.Argument(help="Number of the paper. 单证编号")],
    status: Annotated[str, typer.Argument(help="customs-released, cleared, frozen, returned or deleted. 新状态")],
    replacement: Annotated[
        str, typer.Option("--replacement", help="With deleted: the number of the paper that stands for it. 替代单证编号")
    ] = "",
    kind: KindOption = "",
    currency: CurrencyOption = "",
    counter: CounterOption = "",
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say what became of a paper 变更状态: all its currencies and counters, unless told otherwise. Safe to run again."""
    office = open_office(home, service)
    records = find_records(office.home, number, kind, currency.upper(), counter)
    _show_changed(change_status(office, records, status, replacement, note), as_json=as_json)


@app.command("amend")
@command
def amend_command(
    home: HomeOption,
    service: ServiceOption,
    what: Annotated[str, typer.Argument(help="A newer file of the papers; with --limit, a paper's number. 文件或编号")],
    limit: Annotated[str, typer.Option("--limit", help='The new limit, like "USD 500000.00". 新额度')] = "",
    kind: KindOption = "",
    counter: CounterOption = "",
    note: NoteOption = "",
    failed: FailedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Amend limits 改单, up or down; from a file, statuses that have gone on as well. Safe to run again.

    What banks have drawn stays drawn. Where it is more than the new limit, the paper is overdrawn, and nothing can be drawn.
    """
    office = open_office(home, service)
    if limit:
        records = find_records(office.home, what, kind, "", counter)
        _show_changed(amend(office, records, Money.parse(limit), AMENDED, note), as_json=as_json)
        return
    content = read_bytes(Path(what), MAXIMUM_BYTES)
    with output.progress("amending 改单", hidden=as_json) as progress:
        changes = amend_file(office, content, progress, kind or USUAL_KIND, note)
    if failed is not None and changes.errors:
        Sheet.read(content).write_refused(failed, changes.refused_rows, changes.errors)
    _show_changes(changes, failed, as_json=as_json)
    if changes.errors:
        raise typer.Exit(EXIT_REFUSED)


@app.command("part-return")
@command
def part_return_command(
    home: HomeOption,
    service: ServiceOption,
    number: Annotated[str, typer.Argument(help="Number of the paper. 单证编号")],
    limit: Annotated[str, typer.Option("--limit", help='What is left of its limit, like "USD 500000.00". 剩余额度')],
    kind: KindOption = "",
    counter: CounterOption = "",
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Part of the goods came back 部分退关: the limit is what is left. Safe to run again."""
    office = open_office(home, service)
    records = find_records(office.home, number, kind, "", counter)
    _show_changed(amend(office, records, Money.parse(limit), PARTLY_RETURNED, note), as_json=as_json)


def open_office(home: Path, service: str) -> Office:
    """The attester at work. Raises HomeError when there are no keys."""
    suite, place = runtime.suite(), Home(home)
    signer = load_signer(place, suite, "attester")
    return Office(suite, place, signer, runtime.connect(service, signer.requester), runtime.randomness())


def _show_changed(records: Sequence[DocumentRecord], *, as_json: bool) -> None:
    if as_json:
        output.print_json([_record_json(record) for record in records])
    else:
        _show_documents("Documents 单证", records)


def _show_changes(changes: Changes, failed: Path | None, *, as_json: bool) -> None:
    groups = {
        "amended": changes.amended,
        "changed": changes.changed,
        "unchanged": changes.unchanged,
        "resumed": changes.resumed,
    }
    if as_json:
        told = {name: [_record_json(record) for record in records] for name, records in groups.items()}
        errors = [_row_json(error) for error in changes.errors]
        published = {"published": changes.published, "unpublished": changes.unpublished}
        output.print_json({**told, **published, "errors": errors, "refused_rows": changes.refused_rows})
        return
    _show_documents("Amended 已改单", [*changes.resumed, *changes.amended])
    _show_documents("Status changed 状态已变更", changes.changed)
    output.say(f"{len(changes.unchanged)} documents are as the file says.", f"{len(changes.unchanged)} 份单证与文件一致。")
    _show_published(changes.published, changes.unpublished)
    _show_errors(changes.errors, failed)


def _show_report(report: Report, failed: Path | None) -> None:
    if report.resumed:
        output.remark(
            f"{len(report.resumed)} documents of an interrupted run were settled first.",
            f"先完成了上次中断的 {len(report.resumed)} 份单证。",
        )
    _show_documents("Registered 已登记", [*report.resumed, *report.registered])
    if report.already:
        output.say(
            f"{len(report.already)} documents were registered before and are skipped.",
            f"{len(report.already)} 份单证此前已登记，已跳过。",
        )
    _show_published(report.published, report.unpublished)
    _show_errors(report.errors, failed)


def _show_published(published: int, unpublished: int) -> None:
    if published:
        output.say(
            f"Banks can check {published} of these papers from now on.",
            f"银行现在可以核验其中 {published} 份单证的真实性。",
        )
    if unpublished:
        output.remark(
            f"{unpublished} records wait until the operator begins a key; then run: tradeveil customs publish",
            f"{unpublished} 条真实性记录待运营方启用评估密钥后发布；届时请运行：tradeveil customs publish",
        )


def _show_errors(errors: Sequence[RowError], failed: Path | None) -> None:
    if errors:
        rows = [[str(item.row or "—"), item.column, _mend(item)] for item in errors]
        output.show_table("Refused rows 未通过的行", ["Row 行", "Column 列", "What to mend 请修正"], rows, right=["Row 行"])
        if failed is not None:
            output.say(f"The refused rows are in {failed}; mend them and use that file.", f"请修正 {failed} 后再次提交。")


def _mend(item: RowError) -> str:
    return output.bilingual(item.error.message_en, item.error.message_zh)


def _show_documents(title: str, records: Sequence[DocumentRecord]) -> None:
    rows = [
        [record.number, record.counter, record.holder, record.status, money_text(record.limit, record.currency)]
        for record in records
    ]
    columns = ["Number 编号", "Counter 计数", "Owner 所有人", "Status 状态", "Limit 可融资额"]
    output.show_table(f"{title}: {len(records)}", columns, rows, right=columns[4:])


def _enrolment_json(result: Enrolment) -> dict[str, Any]:
    error = None if result.error is None else describe(result.error)
    return {"holder": result.identity.holder, "name": result.identity.name, "state": result.state, "error": error}


def _report_json(report: Report) -> dict[str, Any]:
    return {
        "registered": [_record_json(record) for record in report.registered],
        "resumed": [_record_json(record) for record in report.resumed],
        "already": [_record_json(record) for record in report.already],
        "published": report.published,
        "unpublished": report.unpublished,
        "errors": [_row_json(error) for error in report.errors],
        "refused_rows": report.refused_rows,
    }


def _record_json(record: DocumentRecord) -> dict[str, Any]:
    return {
        "kind": record.kind,
        "counter": record.counter,
        "number": record.number,
        "status": record.status,
        "currency": record.currency,
        "holder": record.holder,
        "document": encode_base64url(record.document),
        "limit": record.limit,
    }


def _row_json(error: RowError) -> dict[str, Any]:
    return {"row": error.row, "column": error.column, **describe(error.error)}
