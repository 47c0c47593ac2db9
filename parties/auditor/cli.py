"""`tradeveil audit`: export the log, and replay an export with public keys alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from parties.auditor.export import export_log
from parties.auditor.replay import Failure, Verdict, count_lines, read_lines, replay
from parties.common import output, runtime
from parties.common.commands import JsonOption, OutputOption, ServiceOption, TokenOption, command, new_app
from parties.common.errors import EXIT_REFUSED, InputError
from zkcore import engine

app = new_app("""Auditor: re-check every proof and every balance with public keys alone. 审计方：仅凭公钥复核全部证明与余额

\b
    tradeveil audit export --service http://127.0.0.1:8440 --token-file export.token -o log.ndjson
    tradeveil audit replay log.ndjson --engine reference
""")

_FAILURES_SHOWN = 10
_DIGEST_SIZE = 32

EngineOption = Annotated[
    str | None,
    typer.Option("--engine", help="native, openssl, or reference: pure Python, curve code of its own. 运算引擎"),
]
GenesisOption = Annotated[
    str | None, typer.Option("--genesis", help="Digest (hex) of the first entry that the log must have. 创世条目摘要")
]


@app.command("export")
@command
def export_command(service: ServiceOption, token_file: TokenOption, out: OutputOption) -> None:
    """Fetch the whole log into a file. 导出全部条目"""
    with output.progress("exporting 导出") as progress:
        count = export_log(runtime.connect(service), runtime.read_token(token_file), out, progress)
    output.say(f"{count} entries written to {out}", f"已导出 {count} 条到 {out}")


@app.command("replay")
@command
def replay_command(
    export: Annotated[Path, typer.Argument(help="A file made by `audit export`. 导出文件")],
    engine_name: EngineOption = None,
    genesis: GenesisOption = None,
    as_json: JsonOption = False,
) -> None:
    """Re-check an export from its first entry. Exit code 0: all is right; 1: it is not; 2: no such file. 复核导出文件"""
    verdict = replay_file(export, engine_name, genesis, quiet=as_json)
    if as_json:
        output.print_json(verdict.summary())
    else:
        show(verdict)
        if verdict.ok and genesis is None:
            output.remark(
                "Nothing in a log proves whose it is: compare its genesis digest with the one you expect, or use --genesis.",
                "日志本身不能证明其归属：请核对创世摘要，或使用 --genesis 指定。",
            )
    if not verdict.ok:
        raise typer.Exit(EXIT_REFUSED)


def replay_file(path: Path, engine_name: str | None, genesis: str | None, *, quiet: bool) -> Verdict:
    """Replay a file with a progress bar. Raises InputError when it cannot be read, EngineError for an unknown engine."""
    suite, expected = engine.load(engine_name), None if genesis is None else _digest(genesis)
    try:
        with path.open("rb") as file, output.progress("auditing 复核", hidden=quiet) as progress:
            total = count_lines(file)
            return replay(
                suite,
                read_lines(file),
                expected_genesis=expected,
                threads=os.cpu_count() or 1,
                progress=lambda done: progress(done, total),
            )
    except OSError as error:
        raise InputError(
            "not-readable", f"{path} cannot be read: {error.strerror}", f"无法读取 {path}：{error.strerror}"
        ) from error


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != _DIGEST_SIZE:
        raise InputError("digest", "--genesis is 64 hexadecimal digits", "--genesis 应为 64 位十六进制数字")
    return digest


def show(verdict: Verdict) -> None:
    """The verdict for a person."""
    rows = [
        ["entries 条目", f"{verdict.entries:,}"],
        *([f"  {kind}", f"{count:,}"] for kind, count in verdict.by_type.items()),
        ["documents 单证", f"{verdict.documents:,}"],
        *([f"  {status}", f"{count:,}"] for status, count in verdict.statuses.items()),
        ["documents overdrawn 超额", f"{verdict.overdrawn:,}"],
        ["draws open 未结清", f"{verdict.draws_open:,}"],
        ["draws closed 已结清", f"{verdict.draws_closed:,}"],
        *([f"  {stage}", f"{count:,}"] for stage, count in verdict.stages.items()),
        ["proofs checked 已验证明", f"{verdict.claims:,}"],
        ["engine 引擎", verdict.engine],
        ["seconds 用时（秒）", f"{verdict.seconds:,.2f}"],
        ["entries per second 每秒条目", f"{verdict.entries_per_second:,.1f}"],
        ["genesis 创世摘要", verdict.genesis.hex()],
        ["state digest 状态摘要", verdict.state.hex() or "—"],
    ]
    output.show_table("Audit 审计", ["what 项目", "found 结果"], rows)
    if verdict.ok:
        output.say(
            "All is right: every proof holds, and nothing was ever drawn beyond the limit there was.",
            "审计通过：全部证明成立，没有超过当时额度的登记。",
        )
    else:
        show_failures(verdict.failures)


def show_failures(failures: tuple[Failure, ...]) -> None:
    """What is wrong, the cause first."""
    rows = [[str(failure.index), failure.what, failure.code, failure.message] for failure in failures[:_FAILURES_SHOWN]]
    output.show_table("Failures 问题", ["entry 条目", "part 部分", "code 代码", "what is wrong 说明"], rows)
    if len(failures) > _FAILURES_SHOWN:
        output.say(f"and {len(failures) - _FAILURES_SHOWN} more", f"另有 {len(failures) - _FAILURES_SHOWN} 项")
    output.say(
        f"The log is NOT right from entry {failures[0].index} on; later failures can follow from the first.",
        f"审计不通过：自第 {failures[0].index} 条起有误；其后的问题可能由第一处引起。",
    )
