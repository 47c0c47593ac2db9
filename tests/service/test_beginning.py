"""Beginning a log and running its service: what an operator does at a terminal.

A failure would be a log begun with a key that nobody holds, a directory that is overwritten, a token that others can read, a
service that cannot be stopped, or an error that does not say what to mend.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from parties.common.request_keys import RequestSecret
from schemas.answers import EntriesPage
from schemas.canonical import canonical
from schemas.entries import Genesis
from schemas.identities import Identity
from schemas.kinds import load_kinds
from service.cli import app
from service.settings import SettingsError, load_settings
from tests.builders import ORIGIN, World, make_identity, make_register, registration_request
from tests.service.harness import address, process, running, signer
from zkcore.secret.keys import ViewSecret


@pytest.fixture
def identities(world: World, tmp_path: Path) -> dict[str, Path]:
    """Identity files of an attester and a regulator."""
    return {
        "customs": write(
            tmp_path / "customs.json", make_identity(world, "attester", "customs", world.attester, world.attester_seal)
        ),
        "regulator": write(
            tmp_path / "regulator.json", make_identity(world, "regulator", "regulator", world.regulator, world.regulator_seal)
        ),
    }


def write(path: Path, identity: Identity) -> Path:
    path.write_bytes(canonical(identity))
    return path


def init(directory: Path, attester: Path, regulator: Path, *more: str) -> tuple[int, str]:
    """Exit code and everything printed."""
    arguments = ["--directory", str(directory), "--origin", ORIGIN, "--attester", str(attester), "--regulator", str(regulator)]
    result = CliRunner().invoke(app, ["init", *arguments, *more])
    return result.exit_code, result.output


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_init_makes_a_private_directory_and_says_what_is_next(identities: dict[str, Path], tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "service"
    code, output = init(directory, identities["customs"], identities["regulator"])
    assert code == 0, output
    assert f"tradeveil serve run --directory {directory}" in output
    settings = load_settings(directory)
    assert settings.export_token not in output
    assert len(settings.export_token) == 43
    assert mode(directory) == 0o700
    assert mode(directory / "export.token") == mode(directory / "service.db") == 0o600


def test_a_log_is_begun_once(identities: dict[str, Path], tmp_path: Path) -> None:
    directory = tmp_path / "service"
    init(directory, identities["customs"], identities["regulator"])
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    code, output = init(directory, identities["customs"], identities["regulator"])
    assert code == 2
    assert "already" in output
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def wrong_role(world: World, path: Path) -> Path:
    return write(path, make_identity(world, "bank", "a-bank", world.bank, world.attester_seal))


def wrong_origin(world: World, path: Path) -> Path:
    return write(path, make_identity(world, "attester", "customs", world.attester, world.attester_seal, "log.example/other"))


def stolen_key(world: World, path: Path) -> Path:
    """The key of another with its proof of possession, under a name of one's own."""
    identity = make_identity(world, "attester", "customs", world.attester, world.attester_seal)
    return write(path, identity.model_copy(update={"holder": "impostor"}))


def no_point(world: World, path: Path) -> Path:
    identity = make_identity(world, "attester", "customs", world.attester, world.attester_seal)
    return write(path, identity.model_copy(update={"key": b"\x05" * 33}))


def not_an_identity(world: World, path: Path) -> Path:
    path.write_text('{"role": "attester"}', encoding="utf-8")
    return path


def not_there(world: World, path: Path) -> Path:
    return path


@pytest.mark.parametrize(
    "make, said",
    [
        (wrong_role, "role bank"),
        (wrong_origin, "log.example/other"),
        (stolen_key, "proof of possession"),
        (no_point, "point"),
        (not_an_identity, "not an identity file"),
        (not_there, "cannot be read"),
    ],
)
def test_a_bad_identity_is_refused_and_nothing_is_written(
    world: World, identities: dict[str, Path], tmp_path: Path, make: Callable[[World, Path], Path], said: str
) -> None:
    code, output = init(tmp_path / "service", make(world, tmp_path / "bad.json"), identities["regulator"])
    assert code == 2
    assert said in " ".join(output.split())
    assert not (tmp_path / "service").exists()


def test_one_key_twice_is_refused(world: World, identities: dict[str, Path], tmp_path: Path) -> None:
    """A second identity over the same key, and the same file twice."""
    again = write(tmp_path / "again.json", make_identity(world, "attester", "customs-two", world.attester, world.attester_seal))
    code, output = init(tmp_path / "service", identities["customs"], identities["regulator"], "--attester", str(again))
    assert code == 2
    assert "key stands twice" in " ".join(output.split())
    code, output = init(
        tmp_path / "service", identities["customs"], identities["regulator"], "--attester", str(identities["customs"])
    )
    assert code == 2
    assert "same identifier" in " ".join(output.split())


def test_an_enterprise_is_no_regulator(world: World, identities: dict[str, Path], tmp_path: Path) -> None:
    owner = ViewSecret.generate(world.suite, world.randomness)
    path = write(tmp_path / "owner.json", make_identity(world, "enterprise", "owner", owner, world.attester_seal))
    code, output = init(tmp_path / "service", identities["customs"], path)
    assert code == 2
    assert "role enterprise" in " ".join(output.split())


FREIGHT_BILLS = """
[freight-bill]
attester = "customs"
restores = ["released"]
counters = ["financing"]
use = "single"
reservation_days = 30
applications = "optional"
"""


def test_kinds_of_ones_own(world: World, identities: dict[str, Path], tmp_path: Path) -> None:
    kinds = tmp_path / "kinds.toml"
    kinds.write_text(FREIGHT_BILLS, encoding="utf-8")
    code, output = init(tmp_path / "service", identities["customs"], identities["regulator"], "--kinds", str(kinds))
    assert code == 0, output
    with running(tmp_path / "service") as http:
        genesis = Genesis.model_validate(http.get("/v1/parameters").json())
    assert [(kind.name, kind.restores) for kind in genesis.kinds] == [("freight-bill", ["released"])]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "x = 1",
        "[Bad]\nrestores = []",
        FREIGHT_BILLS.replace("released", "whenever"),
        FREIGHT_BILLS + "x = 1",
        "[a-kind]",
        "][",
    ],
)
def test_bad_kinds(identities: dict[str, Path], tmp_path: Path, content: str) -> None:
    kinds = tmp_path / "kinds.toml"
    kinds.write_text(content, encoding="utf-8")
    code, output = init(tmp_path / "service", identities["customs"], identities["regulator"], "--kinds", str(kinds))
    assert code == 2
    assert output.startswith("error: ")
    assert not (tmp_path / "service").exists()


def test_the_kinds_that_ship_with_this() -> None:
    """The six kinds of the domain, each with its policy."""
    kinds = {kind.name: (kind.attester, kind.restores, kind.counters, kind.use) for kind in load_kinds()}
    assert kinds == {
        "export-declaration": ("customs", ["released", "repaid-own-funds"], ["financing"], "cumulative"),
        "import-declaration": ("customs", ["released"], ["payment", "financing"], "cumulative"),
        "service-trade-filing": ("tax", ["released"], ["payment"], "cumulative"),
        "capital-account-voucher": ("tax", ["released"], ["payment"], "single"),
        "freight-bill": ("logistics", ["released"], ["financing"], "single"),
        "export-credit-insurance": ("insurer", ["released", "repaid-own-funds"], ["financing"], "cumulative"),
    }


@pytest.mark.parametrize(
    "spoil",
    [
        lambda directory: (directory / "export.token").unlink(),
        lambda directory: (directory / "export.token").chmod(0o644),
        lambda directory: (directory / "export.token").write_text("short", encoding="ascii"),
        lambda directory: (directory / "service.db").unlink(),
    ],
)
def test_a_spoilt_directory_is_explained(identities: dict[str, Path], tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    directory = tmp_path / "service"
    init(directory, identities["customs"], identities["regulator"])
    spoil(directory)
    with pytest.raises(SettingsError, match=r"chmod|shorter|cannot be read|serve init"):
        load_settings(directory)
    result = CliRunner().invoke(app, ["run", "--directory", str(directory), "--port", "0"])
    assert result.exit_code == 2


# --- a process of its own -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_serves_and_stops(
    world: World, identities: dict[str, Path], tmp_path: Path, stop: signal.Signals
) -> None:
    directory = tmp_path / "service"
    init(directory, identities["customs"], identities["regulator"])
    with process(directory) as (service, ready):
        assert ORIGIN in ready
        with httpx.Client(base_url=address(ready)) as http:
            token = (directory / "export.token").read_text(encoding="ascii").strip()
            page = http.get("/v1/entries", headers={"Authorization": f"Bearer {token}"})
            assert EntriesPage.model_validate(page.json()).size == 1
            assert http.get("/v1/documents/" + "A" * 43).status_code == 404
            refusal = http.post("/v1/financings", content=b" " * 10_000_000, headers={"Content-Type": "application/json"})
            assert refusal.status_code == 413
        service.send_signal(stop)
        output, errors = service.communicate(timeout=30)
    assert service.returncode == 0, errors
    assert output == ""
    assert "A" * 43 not in errors
    assert token not in errors
    assert '"route": "/v1/documents/{id}"' in errors


def test_what_was_committed_is_there_after_a_kill(world: World, identities: dict[str, Path], tmp_path: Path) -> None:
    """SIGKILL right after the answer; the next process goes on from there and replays the answer."""
    directory = tmp_path / "service"
    init(directory, identities["customs"], identities["regulator"])
    body = canonical(registration_request([make_register(world, 500)]))
    headers = {"Content-Type": "application/json", "Idempotency-Key": "register-before-the-kill"}
    signed = signer(RequestSecret(world.attester_seal.encode()), lambda: int(time.time()))  # the key of make_identity
    with process(directory) as (service, ready):
        first = httpx.post(f"{address(ready)}/v1/documents", content=body, headers=headers, auth=signed)
        service.kill()
    assert first.status_code == 201
    with running(directory) as http:
        again = http.post("/v1/documents", content=body, headers=headers, auth=signed)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert http.get("/v1/ready").json()["entries"] == 2


def test_a_file_that_is_no_database_is_told(identities: dict[str, Path], tmp_path: Path) -> None:
    directory = tmp_path / "service"
    init(directory, identities["customs"], identities["regulator"])
    (directory / "service.db").write_bytes(b"this is not a database at all " * 100)
    with process(directory) as (service, _):
        _, errors = service.communicate(timeout=30)
    assert service.returncode == 2
    assert "the database cannot be used" in errors
    assert "Traceback" not in errors


def test_a_port_in_use_is_told(identities: dict[str, Path], tmp_path: Path) -> None:
    directory = tmp_path / "service"
    init(directory, identities["customs"], identities["regulator"])
    with process(directory) as (_, ready):
        port = address(ready).rpartition(":")[2]
        with process(directory, "--port", port) as (second, _):
            _, errors = second.communicate(timeout=30)
    assert second.returncode == 2
    assert "--port" in errors
