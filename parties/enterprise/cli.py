"""`tradeveil enterprise`: the wallet of an exporter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from parties.common import output, runtime
from parties.common.commands import (
    HomeOption,
    JsonOption,
    NameOption,
    OriginOption,
    OutputOption,
    ServiceOption,
    command,
    describe,
    new_app,
)
from parties.common.errors import EXIT_REFUSED
from parties.common.home import IDENTITY_FILE, Home, read_identity
from parties.common.keyring import load_viewer
from parties.common.ledger_view import OpenedApplication, OpenedDocument, OpenedDraw, OpenedStep
from parties.common.money import Money, money_text
from parties.common.sealed_files import read_sealed, write_sealed
from parties.common.words import stage_text, status_text
from parties.enterprise.apply import AskedLine, Terms, make_application, parse_duration, parse_share, store_application
from parties.enterprise.approve import Decision, JudgedLine, decide
from parties.enterprise.seed import WORDS, create_wallet, kept_words, new_words, read_words
from parties.enterprise.wallet import Desk, OwnedDocument, Wallet, discover, view_documents
from schemas.domain.conversion import Rate
from schemas.sealed import Application, DraftFile
from schemas.wire import encode_base64url

app = new_app("""Enterprise: your documents, applications and approvals. 企业：单证、申请与批准

\b
    tradeveil enterprise keys      --home suzhou --origin trade.example/log --holder 91320581MA1P3K7L9H --name "苏州虚构机械"
    tradeveil enterprise documents --home suzhou --service http://127.0.0.1:8440
    tradeveil enterprise apply     --home suzhou --service http://127.0.0.1:8440 --bank bank-a/identity.json
                                   --line "232520260028296053=USD 600000.00" -o application.json
    tradeveil enterprise approve   --home suzhou --service http://127.0.0.1:8440 draft.json -o approval.json
""")

HolderOption = Annotated[str, typer.Option("--holder", help="Unified social credit code, 18 characters. 统一社会信用代码")]


# --- keys -----------------------------------------------------------------------------------------------------------------


@app.command("keys")
@command
def keys_command(
    home: HomeOption,
    origin: OriginOption,
    holder: HolderOption,
    name: NameOption,
    words_file: Annotated[
        Path | None, typer.Option("--words-file", help="Write the words here instead of on the screen. 助记词写入此文件")
    ] = None,
) -> None:
    """Make keys from 24 fresh words, which are shown once 生成密钥和助记词."""
    words = new_words(runtime.randomness())
    with kept_words(words_file, words):
        _create(home, origin, holder, name, words)
    if words_file is not None:
        output.remark(f"The {WORDS} words are in {words_file}: keep it offline.", f"助记词已写入 {words_file}：请离线保管。")
        return
    output.remark(
        f"Write these {WORDS} words on paper, in order. They are shown once. Whoever has them can act as you; "
        "without them a lost wallet stays lost.",
        f"请按顺序将这 {WORDS} 个词抄写在纸上。仅显示一次；持有者可代表贵企业操作，丢失则无法恢复钱包。",
    )
    numbered = [f"{place:2}. {word}" for place, word in enumerate(words.split(), start=1)]
    output.say("\n".join("   ".join(f"{entry:<14}" for entry in numbered[row : row + 4]) for row in range(0, WORDS, 4)))


@app.command("restore")
@command
def restore_command(
    home: HomeOption,
    origin: OriginOption,
    holder: HolderOption,
    name: NameOption,
    words_file: Annotated[
        Path | None, typer.Option("--words-file", help="File with the words; without it they are asked for. 助记词文件")
    ] = None,
) -> None:
    """Make the keys of a lost wallet again from its words 恢复钱包.

    Documents and draws are found again from the service; copies of your applications are not.
    """
    words = typer.prompt(f"The {WORDS} words 助记词", err=True) if words_file is None else read_words(words_file)
    _create(home, origin, holder, name, words)


def _create(home: Path, origin: str, holder: str, name: str, words: str) -> None:
    create_wallet(
        Home.create(home),
        runtime.suite(),
        origin=origin,
        holder=holder,
        name=name,
        words=words,
        randomness=runtime.randomness(),
    )
    output.say(
        f"Keys made. Give {home / IDENTITY_FILE} to Customs and keep the rest of {home} secret.",
        f"密钥已生成。请将 {home / IDENTITY_FILE} 交给海关；{home} 中其余文件须保密。",
    )


def open_desk(home: Path, service: str) -> Desk:
    suite, place = runtime.suite(), Home(home)
    viewer = load_viewer(place, suite, "enterprise")
    return Desk.open(suite, place, viewer, runtime.connect(service), runtime.randomness(), runtime.now())


def _discover(desk: Desk) -> Wallet:
    """The wallet, with a remark for everything that could not be used."""
    wallet = discover(desk)
    for doubt in wallet.doubts:
        output.remark(
            f"{doubt.attester} {doubt.index}: {doubt.reason.message_en}",
            f"{doubt.attester} {doubt.index}：{doubt.reason.message_zh}",
        )
    return wallet


# --- what is there --------------------------------------------------------------------------------------------------------

Opened = tuple[OwnedDocument, OpenedDocument]


def _open_all(home: Path, service: str, *, quiet: bool) -> list[Opened]:
    desk = open_desk(home, service)
    wallet = _discover(desk)
    with output.progress("opening 打开", hidden=quiet) as progress:
        opened = view_documents(desk, wallet.documents, progress)
    for owned, document in opened:
        for alert in document.alerts:
            number = owned.credential.number
            output.remark(
                f"{number}: {alert.message_en}; tell the bank and the regulator",
                f"{number}：{alert.message_zh}；请告知银行和监管方",
            )
    return opened


@app.command("documents")
@command
def documents_command(home: HomeOption, service: ServiceOption, as_json: JsonOption = False) -> None:
    """Your documents with what is left on each 我的单证与余额."""
    opened = _open_all(home, service, quiet=as_json)
    numbers = {owned.facts.document: owned.credential.number for owned, _ in opened}
    if as_json:
        output.print_json([_document_json(*item, numbers) for item in opened])
        return
    columns = [
        "Number 编号",
        "Counter 计数",
        "Date 日期",
        "Status 状态",
        "Limit 额度",
        "Drawn 已登记",
        "Outstanding 未还",
        "Headroom 余额",
        "Draws 笔数",
    ]
    rows = [
        [
            owned.credential.number,
            owned.credential.counter,
            owned.credential.date,
            status_text(
                document.state,
                overdrawn=document.overdrawn,
                replaced_by=numbers.get(document.state.replacement, ""),
            ),
            _money(document.limit, owned),
            _money(document.drawn, owned),
            _money(document.outstanding, owned),
            _money(document.headroom, owned),
            str(len(document.draws)),
        ]
        for owned, document in opened
    ]
    output.show_table(f"Documents 单证: {len(rows)}", columns, rows, right=columns[4:])
    _show_blocks(opened)


@app.command("draws")
@command
def draws_command(home: HomeOption, service: ServiceOption, as_json: JsonOption = False) -> None:
    """Every application and draw on your documents, by bank, with its stage 各银行申请与登记情况."""
    opened = _open_all(home, service, quiet=as_json)
    found = [(owned, draw) for owned, document in opened for draw in document.draws]
    waiting = [(owned, application) for owned, document in opened for application in _undrawn(document)]
    if as_json:
        output.print_json([*(_application_draw_json(*item) for item in waiting), *(_draw_json(*item) for item in found)])
        return
    columns = [
        "Number 编号",
        "Time 时间",
        "Bank 银行",
        "Reference 业务编号",
        "Drawn 登记",
        "Outstanding 未还",
        "Stage 阶段",
    ]
    rows = [_application_row(*item) for item in waiting]
    rows += [
        [
            owned.credential.number,
            _time(draw.time),
            "?" if draw.memo is None else f"{draw.memo.bank_name} ({draw.memo.bank})",
            "?" if draw.memo is None else draw.memo.reference,
            _money(draw.amount, owned),
            _money(draw.outstanding, owned),
            stage_text(draw.state.stage),
        ]
        for owned, draw in found
    ]
    output.show_table(f"Applications and draws 申请与登记: {len(rows)}", columns, rows, right=columns[4:6])
    _show_blocks(opened)


def _show_blocks(opened: Sequence[tuple[OwnedDocument, OpenedDocument]]) -> None:
    """An institution asked too often for more than was proven: its owner is told when, and not who."""
    for owned, document in opened:
        for block in document.blocks:
            number, start, end = owned.credential.number, _time(block.time), _time(block.until)
            output.remark(
                f"{number}: an institution asked too often for more than could be proven, and may not draw on it "
                f"from {start} until {end}. The regulator was told. Ask your banks if you do not know of it.",
                f"{number}：有机构多次申请登记而余额未获证明，自 {start} 至 {end} 不得在其上登记；监管方已获知。"
                "如不知情，请向相关银行核实。",
            )


def _undrawn(document: OpenedDocument) -> list[OpenedApplication]:
    """The applications that have no draw: those that have one are seen in it."""
    drawn = {draw.state.draw for draw in document.draws}
    return [application for application in document.applications if application.state.draw not in drawn]


def _application_row(owned: OwnedDocument, application: OpenedApplication) -> list[str]:
    memo = application.memo
    return [
        owned.credential.number,
        _time(application.time),
        "?" if memo is None else f"{memo.bank_name} ({memo.bank})",
        "?" if memo is None else memo.reference,
        "—",
        "—",
        stage_text(application.state.stage),
    ]


def _money(minor: int | None, owned: OwnedDocument) -> str:
    return "?" if minor is None else money_text(minor, owned.credential.currency)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _document_json(owned: OwnedDocument, document: OpenedDocument, numbers: Mapping[bytes, str]) -> dict[str, Any]:
    state = document.state
    return {
        "document": encode_base64url(owned.facts.document),
        "number": owned.credential.number,
        "currency": owned.credential.currency,
        "kind": state.kind,
        "counter": state.counter,
        "date": owned.credential.date,
        "status": state.status,
        "financeable": state.financeable and not document.overdrawn,
        "overdrawn": document.overdrawn,
        "replaced_by": numbers.get(state.replacement),
        "limit": document.limit,
        "drawn": document.drawn,
        "outstanding": document.outstanding,
        "headroom": document.headroom,
        "draws": len(document.draws),
        "blocks": [block.model_dump() for block in document.blocks],
        "alerts": [alert.code for alert in document.alerts],
    }


def _steps_json(steps: Sequence[OpenedStep]) -> list[dict[str, Any]]:
    return [{"time": step.time, "what": step.what, "amount": step.amount, "note": step.note} for step in steps]


def _application_draw_json(owned: OwnedDocument, application: OpenedApplication) -> dict[str, Any]:
    memo = application.memo
    return {
        "draw": encode_base64url(application.state.draw),
        "number": owned.credential.number,
        "currency": owned.credential.currency,
        "time": application.time,
        "bank": memo and memo.bank,
        "bank_name": memo and memo.bank_name,
        "reference": memo and memo.reference,
        "financing": memo and encode_base64url(memo.financing),
        "stage": application.state.stage,
        "amount": None,
        "outstanding": None,
        "closed": application.state.stage == "rejected",
        "steps": _steps_json(application.steps),
        "reductions": [],
    }


def _draw_json(owned: OwnedDocument, draw: OpenedDraw) -> dict[str, Any]:
    memo = draw.memo
    return {
        "draw": encode_base64url(draw.state.draw),
        "number": owned.credential.number,
        "currency": owned.credential.currency,
        "time": draw.time,
        "bank": memo and memo.bank,
        "bank_name": memo and memo.bank_name,
        "reference": memo and memo.reference,
        "financing": memo and encode_base64url(memo.financing),
        "amount": draw.amount,
        "outstanding": draw.outstanding,
        "stage": draw.state.stage,
        "closed": draw.state.closed,
        "steps": _steps_json(draw.steps),
        "reductions": [
            {"time": r.time, "reason": r.reason, "amount": r.amount, "restores": r.restores} for r in draw.reductions
        ],
    }


# --- applying -------------------------------------------------------------------------------------------------------------


@app.command("apply")
@command
def apply_command(
    home: HomeOption,
    service: ServiceOption,
    out: OutputOption,
    bank: Annotated[Path, typer.Option("--bank", help="identity.json of the bank. 银行身份文件")],
    line: Annotated[
        list[str],
        typer.Option("--line", help='"NUMBER=USD 600000.00", NUMBER, NUMBER/USD or NUMBER:counter; repeat it. 单证与金额'),
    ],
    share: Annotated[
        str | None, typer.Option("--share", help="Per cent of the limit, for lines without an amount. 额度百分比")
    ] = None,
    loan: Annotated[
        str | None, typer.Option("--loan", help='A loan in another currency, "CNY 800000.00"; needs --rate. 外币贷款')
    ] = None,
    rate: Annotated[str | None, typer.Option("--rate", help='Its rate, "100 JPY = 4.80 CNY"; rounded up. 汇率')] = None,
    consent: Annotated[
        bool, typer.Option("--consent", help="Consent now, so that the regulator can answer the bank's draft for you. 预先授权")
    ] = False,
    days: Annotated[int, typer.Option("--days", help="How long it is good for. 有效天数")] = 7,
    valid_for: Annotated[str | None, typer.Option("--valid-for", help="Instead of days: 36h, 30m. 有效时长")] = None,
    purpose: Annotated[str, typer.Option("--purpose", help="What the money is for. 用途")] = "",
    as_json: JsonOption = False,
) -> None:
    """Apply to a bank 申请融资. Writes a file that only this bank can read; hand it over by any way.

    \b
    --line "232520260028296053=USD 600000.00"            one document, this amount
    --line 371120260049030534 --line … --share 80        80 per cent of each limit
    --line 425820260051682861 --loan "CNY 800000.00" --rate "100 JPY = 4.80 CNY"
    """
    desk, bank_identity = open_desk(home, service), read_identity(bank)
    terms = Terms(
        bank=bank_identity,
        lines=tuple(AskedLine.parse(text) for text in line),
        days=days,
        seconds=None if valid_for is None else parse_duration(valid_for),
        share=None if share is None else parse_share(share),
        loan=None if loan is None else Money.parse(loan),
        rate=None if rate is None else Rate.parse(rate),
        consent=consent,
        purpose=purpose,
    )
    application = make_application(desk, _discover(desk), terms)
    store_application(desk, bank_identity, application)
    write_sealed(out, application, bank_identity.seal_key)
    if as_json:
        output.print_json(_application_json(application))
    else:
        _show_application(application, bank_identity.name, out)


def _show_application(application: Application, bank_name: str, out: Path) -> None:
    rows = [
        [
            line.credential.number,
            money_text(line.credential.limit, line.credential.currency),
            money_text(line.amount, line.credential.currency),
        ]
        for line in application.lines
    ]
    columns = ["Declaration 海关编号", "Limit 额度", "Asked 申请"]
    output.show_table(f"Application to {bank_name} 融资申请", columns, rows, right=columns[1:])
    if application.loan is not None:
        loan = money_text(application.loan.amount, application.loan.currency)
        output.say(
            f"Loan of {loan} at {application.loan.rate}, rounded up to the minor unit.",
            f"贷款 {loan}，汇率 {application.loan.rate}，向上取整至最小货币单位。",
        )
    output.say(
        f"Good until {_time(application.expires)}. Hand {out} to {bank_name}.",
        f"有效期至 {_time(application.expires)}。请将 {out} 交给 {bank_name}。",
    )


def _application_json(application: Application) -> dict[str, Any]:
    return {
        "financing": encode_base64url(application.financing),
        "bank": application.bank,
        "expires": application.expires,
        "consent": all(line.consent is not None for line in application.lines),
        "loan": application.loan and application.loan.model_dump(),
        "lines": [
            {"number": line.credential.number, "currency": line.credential.currency, "amount": line.amount}
            for line in application.lines
        ],
    }


# --- approving ------------------------------------------------------------------------------------------------------------


@app.command("approve")
@command
def approve_command(
    home: HomeOption,
    service: ServiceOption,
    draft: Annotated[Path, typer.Argument(help="The bank's draft. 银行草案")],
    out: OutputOption,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", help='Only after a restore: the amount of each line, "USD 50000.00". 恢复后须逐行确认金额'),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a bank's draft 批准银行草案. The answer is a proof that the headroom suffices, and shows no figure.

    Where it does not suffice, or the draft is not what you applied for, the file says so without a figure; exit code 1.

    A wallet restored from its words has no copy of the application. It shows the draft and asks for --accept with every amount;
    it can then not check that the draw's key is the bank's: talk to the bank before you accept.
    """
    desk = open_desk(home, service)
    accepted = [Money.parse(text) for text in accept or []]
    file = read_sealed(draft, DraftFile, desk.viewer.seal)
    wallet = _discover(desk)
    with output.progress("proving 证明", hidden=as_json) as progress:
        decision = decide(desk, wallet, file, accepted, progress)
    write_sealed(out, decision.approval, file.reply_to)
    if as_json:
        output.print_json(_decision_json(decision))
    else:
        _show_decision(decision, file, out)
    if decision.refusal is not None:
        raise typer.Exit(EXIT_REFUSED)


def _show_decision(decision: Decision, file: DraftFile, out: Path) -> None:
    if decision.lines:
        _show_lines(decision.lines)
    if decision.refusal is None:
        output.say(f"Approved. Hand {out} to {file.bank_name}.", f"已批准。请将 {out} 交给 {file.bank_name}。")
        return
    output.complain(f"Refused: {decision.refusal.message_en}", f"未批准：{decision.refusal.message_zh}")
    output.remark(
        f"{out} tells {file.bank_name} that it was refused, and no figure.",
        f"{out} 仅告知 {file.bank_name} 未获批准，不含任何金额。",
    )


def _show_lines(lines: Sequence[JudgedLine]) -> None:
    columns = ["Declaration 海关编号", "Bank's reference 业务编号", "Draw 登记", "Headroom before 登记前余额", "after 登记后"]
    rows = [
        [
            item.line.document.credential.number,
            "" if item.line.memo is None else item.line.memo.reference,
            item.line.asked,
            _money(item.before, item.line.document),
            _money(item.after, item.line.document),
        ]
        for item in lines
    ]
    output.show_table("Draft 草案", columns, rows, right=columns[2:])


def _decision_json(decision: Decision) -> dict[str, Any]:
    return {
        "financing": encode_base64url(decision.approval.financing),
        "refused": decision.approval.refused,
        "error": None if decision.refusal is None else describe(decision.refusal),
        "lines": [
            {
                "number": item.line.document.credential.number,
                "currency": item.line.document.credential.currency,
                "amount": item.line.opening.amount,
                "headroom_before": item.before,
                "headroom_after": item.after,
            }
            for item in decision.lines
        ],
    }
