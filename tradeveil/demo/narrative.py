"""How the demonstration is told: to a banker on stdout, as a story with times; to whoever waits on stderr, how far it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.rule import Rule
from rich.table import Column, Table
from rich.text import Text

from tradeveil.demo.summary import Summary

_WIDTH = 110
_MARGIN = 9


class Narrator:
    """Prints the story. A quiet one prints nothing on stdout, so that a program can."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._out = Console(file=sys.stdout, highlight=False)
        self._err = Console(file=sys.stderr, highlight=False)
        self._out.width = min(self._out.width, _WIDTH) if self._out.is_terminal else _WIDTH

    def chapter(self, english: str, chinese: str, *about: str) -> None:
        """A heading in both languages, and what it is about."""
        self._print(Text(""))
        self._print(Rule(Text(f"{english} · {chinese}", style="bold"), align="left", characters="─"))
        for paragraph in about:
            self._print(Text(paragraph))

    def step(self, what: str, seconds: float) -> None:
        """Something that was done, with its time."""
        self._line(Text(f"{seconds:6.2f} s", style="dim"), Text(what))

    def sees(self, who: str, what: str) -> None:
        """What a party sees at this moment."""
        self._line(Text(""), Text.assemble((f"{who} sees: ", "cyan"), what))

    def failed(self, name: str, detail: str) -> None:
        """An expectation that did not hold."""
        self._line(Text("  FAILED", style="bold red"), Text(f"{name}: {detail}", style="bold red"))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
        """A table; columns named in `right` are aligned to the right."""
        table = Table(title=Text(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD)
        for column in columns:
            table.add_column(Text(column), justify="right" if column in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._print(table)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Tells on stderr what is being done: on a screen while it lasts, elsewhere as a line."""
        if not self._err.is_terminal:
            self._err.print(Text(f"tradeveil demo: {what}"), soft_wrap=True)
            yield
            return
        text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
        # The standard streams stay as they are: what commands write inside is captured, and not for the screen.
        bar = Progress(SpinnerColumn(), text, console=self._err, transient=True, redirect_stdout=False, redirect_stderr=False)
        with bar:
            bar.add_task(what)
            yield

    def _line(self, margin: Text, text: Text) -> None:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=_MARGIN, justify="right")
        grid.add_column(ratio=1)
        grid.add_row(margin, text)
        self._print(grid)

    def _print(self, what: Text | Rule | Table) -> None:
        if not self._quiet:
            self._out.print(what)


def tell_summary(narrator: Narrator, summary: Summary) -> None:
    """The last table, and the verdict in words."""
    narrator.table("Summary 总结", ("what 项目", "result 结果"), list(_rows(summary)))
    seconds = [[story, f"{spent:.2f}"] for story, spent in summary.seconds_by_story().items()]
    narrator.table(
        "Time 用时", ("part 部分", "seconds 秒"), [*seconds, ["all 合计", f"{summary.seconds:.2f}"]], ("seconds 秒",)
    )
    for item in summary.failed:
        narrator.failed(item.title, item.detail)
    if summary.ok:
        narrator.chapter("Everything came out exactly as it must.", "全部结果与预期完全一致。")
    else:
        narrator.chapter("NOT everything came out as it must; see FAILED above.", "部分结果与预期不符，见上文。")


def _rows(summary: Summary) -> Iterator[list[str]]:
    yield ["documents registered 已登记单证", str(summary.documents)]
    yield ["entries in the log 日志条目", str(summary.entries)]
    yield ["accepted 已受理", _counts(summary.accepted)]
    yield ["refused by the service 服务拒绝", _counts(summary.refused_by_service)]
    yield ["refused by a party's program 各方程序拒绝", _counts(summary.refused_by_parties)]
    if summary.opened is not None:
        equal = "all equal to what was planted 全部相符" if summary.opened.equal else "NOT equal 不相符"
        yield ["amounts the regulator opened 监管打开金额", f"{summary.opened.amounts}, {equal}"]
    if summary.audit:
        verdict = "all is right 通过" if summary.audit["ok"] else "NOT right 不通过"
        yield ["audit 审计", f"{verdict}; {summary.audit['claims']} proofs, {summary.audit['entries']} entries"]
    if summary.privacy is not None:
        privacy = summary.privacy
        megabytes = sum(privacy.searched.values()) / 1e6
        found = f"{len(privacy.findings)} found" if privacy.findings else "none found 未发现"
        yield ["search for secrets 泄密检索", f"{found}: {privacy.forms:,} forms in {megabytes:.1f} MB"]
    yield ["service's peak memory 服务内存峰值", f"{summary.service_peak / 2**20:.0f} MiB"]
    yield ["engine 引擎", summary.engine]
    held = len(summary.expectations) - len(summary.failed)
    yield ["expectations held 预期相符", f"{held} of {len(summary.expectations)}"]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none 无"
