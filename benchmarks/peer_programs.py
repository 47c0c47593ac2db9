"""The peers' measuring programs: other people's range proofs, built by cargo from the workspace benchmarks/peers, and asked for
one measurement at a time.

Each peer is built as fast as it can be on this machine. `target-cpu=native` compared with cargo's default, on a processor with
AVX-512 IFMA: tari's batches take 10% less (its curve arithmetic has a backend for these instructions, chosen when it is
compiled), single proofs of the three over ristretto255 5% to 30% less. Grin's library is given its own 64-bit arithmetic
(peers/grin/wide.h), which halves its time.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict

from benchmarks.measure import Progress
from parties.common import output
from parties.common.errors import EXIT_UNREACHABLE, InputError, PartyError

WORKSPACE = Path(__file__).parent / "peers"
_PATIENCE = 30  # seconds for a program to end when its input has ended


class SourcesUnreachable(PartyError):
    """The sources of the peers are not on this machine, and cannot be fetched."""

    exit_code = EXIT_UNREACHABLE


@dataclass(frozen=True)
class Peer:
    """A library to compare with: its short name, its package in the registry, its proof and its group."""

    name: str
    package: str
    proof: str
    group: str


PEERS = (
    Peer("dalek", "bulletproofs", "Bulletproofs", "ristretto255"),
    Peer("tari", "tari_bulletproofs_plus", "Bulletproofs+", "ristretto255"),
    Peer("grin", "grin_secp256k1zkp", "Bulletproofs", "secp256k1"),
    Peer("solana", "solana-zk-sdk", "Bulletproofs", "ristretto255"),
)


def version(peer: Peer) -> str:
    """The version of its package that is measured, from the workspace's lock."""
    lock = tomllib.loads((WORKSPACE / "Cargo.lock").read_text(encoding="utf-8"))
    return next(str(package["version"]) for package in lock["package"] if package["name"] == peer.package)


# --- building -------------------------------------------------------------------------------------------------------------


def build(progress: Progress) -> dict[str, Path]:
    """The program of each peer that builds on this machine, by the peer's name. Says which peers are left out.

    Raises InputError without cargo, without the workspace, or when no peer builds; SourcesUnreachable when they cannot be had.
    """
    cargo = _cargo()
    fetched = _run(cargo, "fetch", "--locked")
    if fetched.returncode != 0:
        reason = _last_line(fetched.stderr)
        raise SourcesUnreachable(
            "peers-unreachable",
            f"cargo cannot fetch the peers' sources ({reason}); connect to the network once, or fill cargo's cache",
            f"cargo 无法获取对比库的源代码（{reason}）；请联网一次，或预先填充 cargo 缓存",
        )
    programs = {}
    with progress("building the peers") as report:
        for done, peer in enumerate(PEERS, start=1):
            built = _run(cargo, "build", "--release", "--locked", "--offline", "--package", f"peer-{peer.name}")
            if built.returncode == 0:
                programs[peer.name] = _target() / "release" / f"peer-{peer.name}"
            else:
                leave_out(peer, _last_line(built.stderr))
            report(done, len(PEERS))
    if not programs:
        raise InputError("no-peers", "none of the peers builds on this machine", "本机无法编译任何对比库")
    return programs


def leave_out(peer: Peer, reason: str) -> None:
    """Says that a peer is not measured, and why."""
    output.remark(f"{peer.name} is left out: {reason}", f"未测量 {peer.name}：{reason}")


def _cargo() -> str:
    cargo = shutil.which("cargo")
    if cargo is None:
        raise InputError(
            "no-toolchain",
            "the peers are built by cargo, which is not on the PATH; install Rust (https://rustup.rs) and run this again",
            "对比库由 cargo 编译，但 PATH 中没有 cargo；请安装 Rust（https://rustup.rs）后重新运行",
        )
    if not (WORKSPACE / "Cargo.toml").is_file():
        raise InputError(
            "no-workspace",
            "the peers' workspace benchmarks/peers is not installed; run this in a checkout",
            "未安装对比库的工作区 benchmarks/peers；请在源码目录中运行",
        )
    return cargo


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    """cargo in the workspace, with the flags that give each peer its best."""
    flags = {
        "RUSTFLAGS": "-C target-cpu=native",
        "CFLAGS": f"-O3 -include {shlex.quote(str(WORKSPACE / 'grin' / 'wide.h'))}",
        "CC_SHELL_ESCAPED_FLAGS": "1",
        "CARGO_TARGET_DIR": str(_target()),
    }
    return subprocess.run(  # noqa: S603 - cargo, with arguments from this file
        command, cwd=WORKSPACE, env=os.environ | flags, capture_output=True, text=True, check=False
    )


def _target() -> Path:
    """Where cargo builds. Relative to where the person stands, not to the workspace in which cargo runs."""
    return Path(os.environ.get("CARGO_TARGET_DIR") or WORKSPACE / "target").absolute()


def _last_line(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"


# --- asking ---------------------------------------------------------------------------------------------------------------


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Description(_Answer):
    """bytes: of a proof of one value (1x64) and of two (2x64). operations: what the program can measure."""

    bytes: dict[str, int]
    operations: list[str]


class _Runs(_Answer):
    nanoseconds: list[int]


class PeerFailed(Exception):
    """The program ended before it answered; the message says what it complained of."""


class PeerProgram:
    """A running program, its proofs made and found to be true, and false ones found to be refused. Its protocol is described in
    peers/measure."""

    def __init__(self, peer: Peer, command: Sequence[str | Path], largest_batch: int) -> None:
        """Start it and wait until it is ready. Raises PeerFailed."""
        self.name, self.label = peer.name, f"{peer.package} {version(peer)}"
        self._process = subprocess.Popen(  # noqa: S603 - a program that was built here
            [*command, str(largest_batch)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            described = _Description.model_validate_json(self._answer())
        except BaseException:
            self.close()
            raise
        self.sizes, self.operations = described.bytes, frozenset(described.operations)

    def run(self, operation: str, seconds: float) -> list[float]:
        """Seconds of each run, of as many as fit into the time and at least one. Raises PeerFailed."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{operation} {seconds}\n")
        self._process.stdin.flush()
        return [nanoseconds / 1e9 for nanoseconds in _Runs.model_validate_json(self._answer()).nanoseconds]

    def _answer(self) -> str:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(_last_line(self._process.stderr.read()))
        return line

    def close(self) -> None:
        """End the program."""
        try:
            self._process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
