"""`tradeveil regulator`: keys, opening the log, headroom proofs for enterprises without a wallet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from parties.common import output, runtime
from parties.common.commands import (
    HomeOption,
    JsonOption,
    OriginOption,
    OutputOption,
    ServiceOption,
    TokenOption,
    command,
    new_app,
)
from parties.common.errors import InputError, Refused
from parties.common.home import IDENTITY_FILE, Home, write_private
from parties.common.keyring import About, create_viewer, load_viewer
from parties.common.ledger_view import DEFAULT_BOUND, Alert, Search
from parties.common.logarithm_cache import DEFAULT_BITS, LEAST_BITS, MOST_BITS, kept_table
from parties.common.money import money_text
from parties.regulator import alerts, report
from parties.regulator.approve import approve, read_draft, write_approval
from parties.regulator.bureau import Bureau
from parties.regulator.open import OpenedLog, fetch_entries, open_log, read_export
from parties.regulator.overdrawn import Shown, parse_document, show_all, show_overdrawn
from schemas.identities import Role
from schemas.wire import encode_base64url
from zkcore.secret.keys import ViewSecret
from zkcore.secret.memos import SEAL_KEY_SIZE, SealSecret

app = new_app("""Regulator: open everything in your jurisdiction. 监管方：查看辖区内全部登记

\b
    tradeveil regulator keys    --home bureau --origin trade.example/log
    tradeveil regulator open    --home bureau --service http://127.0.0.1:8440 --token-file export.token --csv log.csv
    tradeveil regulator open    --home bureau --export log.ndjson --by-logarithm
    tradeveil regulator alerts  --home bureau --service http://127.0.0.1:8440 --token-file export.token
    tradeveil regulator overdrawn --home bureau --service http://127.0.0.1:8440 --token-file export.token --all
    tradeveil regulator approve --home bureau --service http://127.0.0.1:8440 draft.json -o approval.json
""")

_ROLE: Role = "regulator"

TokenFileOption = Annotated[
    Path | None, typer.Option("--token-file", help="File with the export token that the operator gave you. 导出令牌文件")
]
OptionalServiceOption = Annotated[
    str | None, typer.Option("--service", help="Address of the service. 服务地址", envvar="TRADEVEIL_SERVICE")
]


@app.command("keys")
@command
def keys_command(
    home: HomeOption,
    origin: OriginOption,
    holder: Annotated[str, typer.Option("--holder", help="Identifier of the bureau. 机构代码")] = _ROLE,
    name: Annotated[str, typer.Option("--name", help="Name that people read. 名称")] = "Regulator",
) -> None:
    """Make the bureau's keys and its identity file. 生成密钥与身份文件"""
    suite, randomness, created = runtime.suite(), runtime.randomness(), Home.create(home)
    secret, seal = ViewSecret.generate(suite, randomness), SealSecret(randomness.read(SEAL_KEY_SIZE))
    create_viewer(created, suite, About(_ROLE, holder, name, origin), secret, seal, randomness)
    path = created.path(IDENTITY_FILE)
    output.say(
        f"Keys made. Give {path} to the operator; everything else in {home} opens every amount of the log: keep it safe.",
        f"密钥已生成。请将 {path} 提供给运营方；{home} 中其余内容可打开全部金额，务必妥善保管。",
    )


@app.command("open")
@command
def open_command(
    home: HomeOption,
    service: OptionalServiceOption = None,
    token_file: TokenFileOption = None,
    export: Annotated[Path | None, typer.Option("--export", help="Open this export instead of asking. 导出文件")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write a spreadsheet file. 写入电子表格")] = None,
    by_logarithm: Annotated[
        bool, typer.Option("--by-logarithm", help="Open by handles alone, without memos (slow). 仅凭句柄打开")
    ] = False,
    bound: Annotated[
        int, typer.Option("--bound", min=1, help="Largest limit to search for, in minor units. 搜索上限")
    ] = DEFAULT_BOUND,
    table_bits: Annotated[
        int,
        typer.Option(
            "--table-bits",
            min=LEAST_BITS,
            max=MOST_BITS,
            envvar="TRADEVEIL_TABLE_BITS",
            help="Size of the table for searches, 2**BITS entries of 18 bytes, kept in the home. 搜索表大小",
        ),
    ] = DEFAULT_BITS,
    as_json: JsonOption = False,
) -> None:
    """Open every document and every draw. 打开全部单证与登记"""
    viewer = load_viewer(Home(home), runtime.suite(), _ROLE)
    entries = _entries(service, token_file, export, quiet=as_json)
    with output.progress("opening 打开", hidden=as_json) as progress:
        # One bar at a time: documents opened, or, where each amount is searched, the steps of the search.
        search = Search(
            bound=bound,
            always=by_logarithm,
            progress=progress if by_logarithm else None,
            make_table=lambda suite: kept_table(suite, home / "cache", table_bits, output.remark),
        )
        opened = open_log(runtime.suite(), viewer, entries, search, None if by_logarithm else progress)
    if csv is not None:
        write_private(csv, report.to_csv(opened))
    if as_json:
        output.print_json(report.describe(opened))
    else:
        show(opened)


def _entries(service: str | None, token_file: Path | None, export: Path | None, *, quiet: bool) -> list[dict[str, Any]]:
    """From an export, or from the service."""
    if export is not None:
        return read_export(export)
    if service is None or token_file is None:
        raise InputError(
            "source", "give --service and --token-file, or --export", "请指定 --service 与 --token-file，或 --export"
        )
    with output.progress("fetching 获取", hidden=quiet) as progress:
        return fetch_entries(runtime.connect(service), runtime.read_token(token_file), progress)


@app.command("overdrawn")
@command
def overdrawn_command(
    home: HomeOption,
    service: ServiceOption,
    document: Annotated[str, typer.Argument(help="Id of the document, as `open --json` lists it. 单证标识")] = "",
    every: Annotated[bool, typer.Option("--all", help="Every document of the log; needs --token-file. 全部单证")] = False,
    token_file: TokenFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that more is drawn on a document than its limit, without a figure 证明单证已超额. Safe to run again.

    Banks then see that it is not financeable, and nothing else, until something changes.
    """
    if every == bool(document):
        raise InputError("document", "name one document, or give --all", "请指定一份单证，或使用 --all")
    suite = runtime.suite()
    viewer = load_viewer(Home(home), suite, _ROLE)
    bureau = Bureau(suite, viewer, runtime.connect(service, viewer.requester), runtime.randomness(), runtime.now())
    if every:
        opened = open_log(suite, viewer, _entries(service, token_file, None, quiet=as_json))
        with output.progress("proving 证明", hidden=as_json) as progress:
            shown = show_all(bureau, opened.documents, progress)
    else:
        shown = [show_overdrawn(bureau, parse_document(document))]
    if as_json:
        output.print_json([_shown_json(item) for item in shown])
        return
    rows = [
        [encode_base64url(item.document), money_text(item.over, item.currency), "was 此前" if item.already else "now 本次"]
        for item in shown
    ]
    columns = ["Document 单证", "Overdrawn by 超额", "Shown 证明"]
    output.show_table(f"Overdrawn 超额: {len(rows)}", columns, rows, right=columns[1:2])


def _shown_json(shown: Shown) -> dict[str, Any]:
    return {
        "document": encode_base64url(shown.document),
        "currency": shown.currency,
        "over": shown.over,
        "already": shown.already,
    }


@app.command("approve")
@command
def approve_command(
    home: HomeOption,
    service: ServiceOption,
    draft: Annotated[Path, typer.Argument(help="A draft that a bank sealed to you. 银行草案")],
    out: OutputOption,
) -> None:
    """Prove the headroom for an enterprise without a wallet that consented beforehand. 代无钱包企业出具余额证明"""
    suite = runtime.suite()
    viewer = load_viewer(Home(home), suite, _ROLE)
    bureau = Bureau(suite, viewer, runtime.connect(service, viewer.requester), runtime.randomness(), runtime.now())
    file = read_draft(draft, viewer)
    approval = approve(bureau, file)
    write_approval(approval, file.reply_to, out)
    if approval.refused is not None:
        raise Refused(
            approval.refused,
            f"not approved ({approval.refused}); the refusal for the bank, without figures, is in {out}",
            f"未批准（{approval.refused}）；给银行的拒绝文件（不含金额）已写入 {out}",
        )
    output.say(
        f"Approved {len(approval.lines)} line(s); hand {out} to the bank.",
        f"已批准 {len(approval.lines)} 行；请将 {out} 交给银行。",
    )


@app.command("alerts")
@command
def alerts_command(
    home: HomeOption,
    service: ServiceOption,
    token_file: TokenOption,
    start: Annotated[int, typer.Option("--from", min=0, help="Number of the first alert. 起始序号")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Open what banks and the service told you outside the log. 查看警示"""
    viewer = load_viewer(Home(home), runtime.suite(), _ROLE)
    client = runtime.connect(service)
    token = runtime.read_token(token_file)
    opened = alerts.open_alerts(viewer, client.all_alerts(token, start))
    if alerts.numbers(opened):
        opened = alerts.with_owners(opened, open_log(runtime.suite(), viewer, fetch_entries(client, token)))
    if as_json:
        output.print_json({"alerts": alerts.describe(opened)})
        return
    output.show_table(f"Alerts 警示: {len(opened)}", alerts.COLUMNS, alerts.rows(opened))


def show(opened: OpenedLog) -> None:
    """An opened log for a person."""
    output.show_table("Documents 单证", report.DOCUMENT_COLUMNS, report.document_rows(opened), right=report.DOCUMENT_AMOUNTS)
    output.show_table("Financings 融资", report.DRAW_COLUMNS, report.draw_rows(opened), right=report.DRAW_AMOUNTS)
    output.show_table("Totals 合计", report.TOTAL_COLUMNS, report.total_rows(opened), right=report.DOCUMENT_AMOUNTS)
    for alert in opened.alerts:
        show_alert(alert)


def show_alert(alert: Alert) -> None:
    """An alert for a person, beside the tables."""
    what = f"document {encode_base64url(alert.document)}"
    if alert.draw is not None:
        what = f"draw {encode_base64url(alert.draw)} on {what}"
    output.remark(f"ALERT {alert.code}: {alert.message_en} ({what})", f"警示：{alert.message_zh}")
