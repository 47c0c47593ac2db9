"""`tradeveil customs`: keys, enrolment of enterprises, registration of declarations."""

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
from parties.common.money import money_text
from parties.common.rotation import rotate_request_key
from parties.common.sheet import Sheet
from parties.customs.enrol import Enrolment, enrol
from parties.customs.publish import publish_all
from parties.customs.register import DocumentRecord, Office, Report, register_declarations
from schemas.domain.csv_form import MAXIMUM_BYTES, RowError
from schemas.wire import encode_base64url

app = new_app("""Customs: register export declarations with a limit that nobody else can read. 海关：登记报关单

\b
    tradeveil customs keys     --home customs --origin trade.example/log
    tradeveil customs enrol    --home customs enterprise/identity.json
    tradeveil customs register --home customs --service http://127.0.0.1:8440 declarations.csv --failed failed.csv
    tradeveil customs publish  --home customs --service http://127.0.0.1:8440
""")

_STATES = {"enrolled": "enrolled 已登记", "already": "was enrolled 此前已登记", "refused": "refused 未通过"}


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
    declarations: Annotated[Path, typer.Argument(help="Declarations as CSV in the Customs form. 报关单 CSV 文件")],
    failed: Annotated[
        Path | None, typer.Option("--failed", help="Write the refused rows here, with reasons. 未通过的行写入此文件")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Register declarations 登记报关单. Run it again after an interruption: nothing is registered twice.

    Exit code 1 when a row was refused; the others are registered all the same.
    """
    suite, place = runtime.suite(), Home(home)
    customs = load_signer(place, suite, "attester")
    content = read_bytes(declarations, MAXIMUM_BYTES)
    office = Office(suite, place, customs, runtime.connect(service, customs.requester), runtime.randomness())
    with output.progress("registering 登记", hidden=as_json) as progress:
        report = register_declarations(office, content, progress)
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

    `register` does it for new declarations. Run this when the operator has begun a new key, and after an interruption.
    """
    suite, place = runtime.suite(), Home(home)
    customs = load_signer(place, suite, "attester")
    office = Office(suite, place, customs, runtime.connect(service, customs.requester), runtime.randomness())
    with place.lock(), output.progress("publishing 发布", hidden=as_json) as progress:
        published = publish_all(office, progress)
    if as_json:
        output.print_json({"published": published})
    else:
        output.say(f"{published} records published.", f"已发布 {published} 条真实性记录。")


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
    if report.published:
        output.say(
            f"Banks can check {report.published} of these papers from now on.",
            f"银行现在可以核验其中 {report.published} 份单证的真实性。",
        )
    if report.unpublished:
        output.remark(
            f"{report.unpublished} records wait until the operator begins a key; then run: tradeveil customs publish",
            f"{report.unpublished} 条真实性记录待运营方启用评估密钥后发布；届时请运行：tradeveil customs publish",
        )
    if report.errors:
        rows = [[str(item.row or "—"), item.column, _mend(item)] for item in report.errors]
        output.show_table("Refused rows 未通过的行", ["Row 行", "Column 列", "What to mend 请修正"], rows, right=["Row 行"])
        if failed is not None:
            output.say(f"The refused rows are in {failed}; mend them and register that file.", f"请修正 {failed} 后再次登记。")


def _mend(item: RowError) -> str:
    return output.bilingual(item.error.message_en, item.error.message_zh)


def _show_documents(title: str, records: Sequence[DocumentRecord]) -> None:
    rows = [[record.number, record.holder, money_text(record.limit, record.currency)] for record in records]
    columns = ["Declaration 海关编号", "Owner 所有人", "Limit 可融资额"]
    output.show_table(f"{title}: {len(records)}", columns, rows, right=columns[2:])


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
        "number": record.number,
        "currency": record.currency,
        "holder": record.holder,
        "document": encode_base64url(record.document),
        "limit": record.limit,
    }


def _row_json(error: RowError) -> dict[str, Any]:
    return {"row": error.row, "column": error.column, **describe(error.error)}
