"""The whole demonstration, from the keys to the verdict."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.domain.currency import Currency, format_amount
from tradeveil.demo import cast
from tradeveil.demo.commands import Commands
from tradeveil.demo.kept import LOG, DatabaseServer, clear_material, material
from tradeveil.demo.narrative import Narrator, tell_summary
from tradeveil.demo.planted import Planted
from tradeveil.demo.play import OPENING, Play
from tradeveil.demo.scan import Corpus, Form, Search
from tradeveil.demo.second_act import SECOND_ACT
from tradeveil.demo.stage import Stage, open_stage
from tradeveil.demo.stories import STORIES, Story, words_file
from tradeveil.demo.summary import Opened, Privacy, Summary, Timing
from zkcore import engine

REGULATOR = "regulator"
AUDIT = "audit"
PRIVACY = "privacy"
CLOSING = "closing"
_MOST_MEMORY = 300_000_000


@dataclass(frozen=True)
class Options:
    """`keep`: an empty or new directory for everything that is made; `engine_name`: None for the best there is; `server`: where
    the service keeps its tables, None for a file of its directory."""

    keep: Path | None = None
    engine_name: str | None = None
    server: DatabaseServer | None = None


@dataclass(frozen=True, repr=False)
class Played:
    """What a demonstration leaves to look at: its summary, the forms of its secrets, and all that the service was sent."""

    summary: Summary
    forms: Sequence[Form]
    sent: bytes


def perform(options: Options, narrator: Narrator) -> Played:
    """Play everything, from keys to verdict. Never raises for what does not come out as it must: the summary says it.

    Raises StageError or CommandFailed where there is no stage to play on, EngineError for an unknown engine.
    """
    started = time.perf_counter()
    summary, planted = Summary(engine.load(options.engine_name).engine), Planted()
    tell_opening(narrator)
    building = open_stage(_commands(), _prepare, keep=options.keep, engine_name=options.engine_name, server=options.server)
    with building as stage:
        play = Play(stage, planted, narrator, summary)
        _note_setting_up(play, time.perf_counter() - started)
        acts = [Story(OPENING, "", "", "", register_sample), *STORIES, *SECOND_ACT, *CONCLUSION]
        for story in acts:
            perform_story(play, story)
        sent = stage.wire.sent()
        summary.seconds = time.perf_counter() - started
    tell_summary(narrator, summary)
    return Played(summary, planted.forms(), sent)


def perform_story(play: Play, story: Story) -> None:
    """One story; whatever goes wrong in it is an expectation that does not hold, and the next one is played."""
    play.story = story.name
    if story.english:
        play.narrator.chapter(story.english, story.chinese, story.about)
    detail = ""
    try:
        story.play(play)
    except Exception as error:  # noqa: BLE001 - the outermost place: a story that breaks off must not hide the others
        detail = f"{type(error).__name__}: {error}"
    play.expect("is played to its end", not detail, detail)


# --- opening --------------------------------------------------------------------------------------------------------------


def tell_opening(narrator: Narrator) -> None:
    """Who is who."""
    narrator.chapter(
        "Tradeveil: total financed never above declared value",
        "贸易融资核验：数据可用不可见",
        "Exporters take their export declarations to banks. A service makes sure that all banks together never lend more on a "
        "declaration than it is worth. It sees no amount, no declaration number, no name: it checks mathematical proofs.",
        "Customs 海关 attests each declaration's value. Exporters 企业 prove that there is headroom. Banks 银行 draw. "
        "The regulator 监管方 sees everything. An auditor 审计方 re-checks everything and sees nothing.",
    )


def _commands() -> Commands:
    from tradeveil.cli import EVERY_PART, build

    return Commands(build(EVERY_PART - {"demo", "doctor"}))


def _prepare(commands: Commands, root: Path) -> Path:
    """Keys for everybody, each in a home of its own, and the beginning of the log."""
    homes, directory = root / "homes", root / "service"
    words_file(root, "").parent.mkdir(mode=0o700)
    origin = ("--origin", cast.ORIGIN)
    for role in ("customs", "regulator"):
        commands.must(role, "keys", "--home", str(homes / role), *origin)
    for bank in cast.BANKS:
        home, named = str(homes / bank.folder), ("--holder", bank.code, "--name", bank.name)
        commands.must("bank", "keys", "--home", home, *origin, *named)
    for exporter in cast.enterprises().values():
        home, named = str(homes / exporter.folder), ("--holder", exporter.code, "--name", exporter.name)
        words = ("--words-file", str(words_file(root, exporter.code)))
        commands.must("enterprise", "keys", "--home", home, *origin, *named, *words)
    identities = [str(homes / role / "identity.json") for role in ("customs", "regulator")]
    genesis = ("--attester", identities[0], "--regulator", identities[1])
    commands.must("serve", "init", "--directory", str(directory), *origin, *genesis)
    for bank in cast.BANKS:
        identity = str(homes / bank.folder / "identity.json")
        commands.must("serve", "institutions", "add", identity, "--directory", str(directory))
    return directory


def _note_setting_up(play: Play, seconds: float) -> None:
    what = (
        f"Keys for {len(cast.enterprises())} exporters, {len(cast.BANKS)} banks, Customs and the regulator; the service starts."
    )
    play.summary.timings.append(Timing(OPENING, what, seconds))
    play.narrator.step(what, seconds)


def register_sample(play: Play) -> None:
    """Customs enrols the exporters and registers the sample."""
    identities = [str(play.stage.home(exporter.folder) / "identity.json") for exporter in cast.enterprises().values()]
    with play.step("Customs enrols the exporters."):
        play.must("customs", "enrol", "customs", *identities, service=False)
    sheet = play.stage.paper("declarations.csv")
    sheet.write_bytes(cast.sample_bytes())
    with play.step(f"Customs registers a spreadsheet of {len(cast.declarations())} declarations.") as step:
        ran = play.run("customs", "register", "customs", str(sheet), "--json")
        report = ran.json()
        registered = {(item["number"], item["currency"]): item["limit"] for item in report["registered"]}
        limits = {(number, currency.alpha): minor for (number, currency), minor in cast.limits().items()}
        refused = {error["code"] for error in report["errors"]}
        play.expect("every financeable declaration is registered", registered == limits, f"{len(registered)} of {len(limits)}")
        play.expect("what is not financeable is refused", (ran.exit_code, refused) == (1, {"not-financeable"}), refused)
        play.expect("the log has an entry for each", play.stage.entries() == 1 + len(limits))
        play.summary.documents = len(registered)
        play.summary.refused_by_parties["not-financeable"] += len(report["errors"])
        step.sees("The service", f"{len(registered)} commitments with proofs that each is more than zero and not too large.")


# --- conclusion -----------------------------------------------------------------------------------------------------------


def regulator_opens(play: Play) -> None:
    """Every amount opens to what was planted."""
    token = ("--token-file", str(play.stage.token_file))
    with play.step("The regulator opens every amount with its key."):
        table = play.stage.paper("regulator.csv")
        opened = play.must("regulator", "open", "regulator", *token, "--csv", str(table), "--json").json()
        different = play.planted.differences(opened["documents"])
        play.expect("every amount equals the planted one", not different, ", ".join(different))
        play.expect("there is no alert", opened["alerts"] == [], opened["alerts"])
        play.expect("the spreadsheet is written", table.stat().st_size > 0)
        play.summary.opened = Opened(play.planted.count_amounts(), not different, len(opened["alerts"]))
    rows = list(_opened_rows(opened["documents"]))
    play.narrator.table("The regulator sees 监管方所见", _COLUMNS, rows, right=(_COLUMNS[2], *_COLUMNS[4:]))


_COLUMNS = ("declaration\n报关单", "币种", "limit\n额度", "bank\n银行", "drawn\n登记", "outstanding\n未结清", "headroom\n余额")


def _opened_rows(documents: Sequence[dict[str, Any]]) -> Iterator[list[str]]:
    """The documents that banks have drawn on, under _COLUMNS, a row a draw."""
    names = {bank.code: bank.short for bank in cast.BANKS}
    for document in documents:
        currency, draws = Currency.parse(document["currency"]), document["draws"]
        for place, draw in enumerate(draws):
            head = [document["number"], currency.alpha, format_amount(document["limit"], currency)] if place == 0 else [""] * 3
            amounts = [format_amount(draw[what], currency) for what in ("amount", "outstanding")]
            left = format_amount(document["headroom"], currency) if place == len(draws) - 1 else ""
            yield [*head, names.get(draw["bank"], "?"), *amounts, left]


def auditor_replays(play: Play) -> None:
    """The log is right, by public keys alone."""
    export, token = export_file(play.stage), ("--token-file", str(play.stage.token_file))
    with play.step("An auditor fetches the log and re-checks every proof and balance, with public keys alone.") as step:
        commands = play.stage.commands
        commands.must("audit", "export", "--service", play.stage.address, *token, "-o", str(export))
        ran = commands.run("audit", "replay", str(export), "--json")
        verdict = ran.json()
        play.expect("the audit finds nothing wrong", ran.exit_code == 0 and verdict["ok"], verdict.get("failures"))
        play.summary.entries = play.stage.entries()
        play.expect("it saw the whole log", verdict["entries"] == play.summary.entries, verdict["entries"])
        planted = sum(len(document.draws) for document in play.planted.documents.values())
        play.expect("it saw every draw", verdict["by_type"]["draw"] == planted, verdict["by_type"])
        play.summary.audit = verdict
        step.sees("The auditor", f"{verdict['claims']} proofs hold, in {verdict['entries']} entries. No amount, no name.")
    _count_writes(play, verdict["by_type"])


def export_file(stage: Stage) -> Path:
    return stage.paper("export.jsonl")


def _count_writes(play: Play, by_type: dict[str, int]) -> None:
    """What the service accepted, by operation, and what it refused, by problem type."""
    writes = play.stage.wire.writes()
    financings = [item for item in play.stage.wire.financings() if not item.problem and not item.replayed]
    play.summary.accepted = Counter({name: count for name, count in by_type.items() if name != "genesis"})
    play.summary.accepted["financing"] = len(financings)
    play.summary.accepted["repetition"] = sum(item.replayed for item in writes)
    play.summary.refused_by_service = Counter(item.problem for item in writes if item.problem)


def search_for_secrets(play: Play) -> None:
    """Nothing that was planted stands anywhere in what the service keeps, logs, exports or was sent."""
    stage = play.stage
    with play.step("Database, logs, export and traffic are searched for every amount, number and name, in every form.") as step:
        corpora = [*material(stage.root, stage.server), Corpus("what was sent", stage.wire.sent())]
        search = Search(play.planted.forms(), corpora)
        found = tuple(str(finding) for finding in search.findings(clear_material(stage.root, stage.server)))
        searched = {corpus.name: len(corpus.data) for corpus in corpora}
        play.expect("no secret is found", not found, "; ".join(found[:10]))
        wanted = {"service.err", "service.out", "export.jsonl", "what was sent"}
        wanted |= {"service.db", "service.db-wal"} if stage.server is None else {LOG, "global/pg_control"}
        play.expect("everything was searched", wanted <= set(searched), sorted(searched))
        expected = search.expected_by_chance
        play.summary.privacy = Privacy(len(search.forms), len(search.anywhere), expected, searched, found)
        step.sees("A thief", "random numbers, times, kinds of documents, currencies.")


def end_service(play: Play) -> None:
    """The service ends in order, and has logged no failure."""
    service = play.stage.service
    play.summary.service_peak = peak = service.peak_memory()
    play.expect("the service held at most 300 MB", peak <= _MOST_MEMORY, f"{peak} bytes")
    with play.step("The service is told to stop."):
        code = service.stop()
        play.expect("the service ends in order", code == 0, f"exit code {code}")
        levels = Counter(json.loads(line)["level"] for line in service.stderr.read_text("utf-8").splitlines())
        play.expect("the service logged no failure", set(levels) <= {"info"}, dict(levels))


CONCLUSION = (
    Story(REGULATOR, "The regulator", "监管方", "The regulator's key opens what nobody else can read.", regulator_opens),
    Story(AUDIT, "The auditor", "审计方", "The auditor has no secret key, and trusts nobody.", auditor_replays),
    Story(
        PRIVACY,
        "What the service knows",
        "服务知道什么",
        "If all of it were stolen, what would the thief have?",
        search_for_secrets,
    ),
    Story(CLOSING, "", "", "", end_service),
)
