"""Kinds of documents are read from a file, and what is wrong with the file is said in words.

Must hold: what a file says is what a log will hold, kind by kind in its order; anything else in it is refused with the kind's
name. A failure would be a reason that gives headroom back though nobody wrote it, or one that is silently passed over. Which
reasons an authority chooses is its own business.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.kinds import load_kinds
from zkcore.operations import REASONS


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kinds") / "kinds.toml"


names = st.from_regex(r"[a-z][a-z0-9-]{1,63}", fullmatch=True)
tables = st.dictionaries(names, st.lists(st.sampled_from(REASONS), unique=True), min_size=1, max_size=5)


REST = """
attester = "customs"
counters = ["financing"]
use = "cumulative"
reservation_days = 90
applications = "optional"
"""
"""What else a kind has to say."""


@given(kinds=tables)
def test_what_was_written_is_read_in_its_order(path: Path, kinds: dict[str, list[str]]) -> None:
    content = "".join(f"[{name}]\nrestores = {restores!r}\n{REST}" for name, restores in kinds.items())
    path.write_text(content, encoding="utf-8")
    assert [(kind.name, list(kind.restores)) for kind in load_kinds(path)] == list(kinds.items())


WRONG = {
    "nothing": "",
    "a comment alone": "# [export-declaration]\n",
    "no TOML": "[freight-bill\n",
    "no table": 'restores = ["released"]\n',
    "no list": "[freight-bill]\n",
    "text for a list": '[freight-bill]\nrestores = "released"\n',
    "an unknown reason": '[freight-bill]\nrestores = ["forgiven"]\n',
    "a reason in capitals": '[freight-bill]\nrestores = ["Released"]\n',
    "a truth for a reason": "[freight-bill]\nrestores = [true]\n",
    "another field": "[freight-bill]\nrestores = []\nlimit = 5\n",
    "a name beside the heading": '[freight-bill]\nname = "export-declaration"\nrestores = []\n',
    "the same name beside the heading": '[freight-bill]\nname = "freight-bill"\nrestores = []\n',
    "a name in capitals": "[Freight-Bill]\nrestores = []\n",
    "a name of one letter": "[f]\nrestores = []\n",
    "a name with a point": "[freight.bill]\nrestores = []\n",
    "a name with a line feed": '["freight-bill\\n"]\nrestores = []\n',
    "one kind twice": "[freight-bill]\nrestores = []\n[freight-bill]\nrestores = []\n",
    "an array of tables": "[[freight-bill]]\nrestores = []\n",
}


# Each is wrong in one thing alone.
WRONG = {name: content.replace("restores =", f"{REST.lstrip()}restores =") for name, content in WRONG.items()}
WRONG |= {
    "a use of its own": f"[freight-bill]\nrestores = []{REST}".replace("cumulative", "twice"),
    "no counter": f"[freight-bill]\nrestores = []{REST}".replace('["financing"]', "[]"),
    "no day": f"[freight-bill]\nrestores = []{REST}".replace("90", "0"),
    "applications of its own": f"[freight-bill]\nrestores = []{REST}".replace("optional", "often"),
    "a share above all": f"[freight-bill]\nrestores = []{REST}[freight-bill.shares]\n0110 = 101\n",
    "a mode of three digits": f"[freight-bill]\nrestores = []{REST}[freight-bill.shares]\n011 = 100\n",
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG.keys())
def test_anything_else_is_refused(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError):  # noqa: PT011 - a TOMLDecodeError is a ValueError too
        load_kinds(path)


@pytest.mark.parametrize("field", ["attester", "counters", "use", "reservation_days", "applications"])
def test_every_field_is_asked_for(path: Path, field: str) -> None:
    lines = [line for line in REST.splitlines() if not line.startswith(field)]
    path.write_text("[freight-bill]\nrestores = []\n" + "\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=field):
        load_kinds(path)


def test_the_shipped_kinds() -> None:
    kinds = {kind.name: kind for kind in load_kinds()}
    assert {kind.attester for kind in kinds.values()} == {"customs", "tax", "logistics", "insurer"}
    assert kinds["import-declaration"].counters == ["payment", "financing"]
    assert {name for name, kind in kinds.items() if kind.use == "single"} == {"capital-account-voucher", "freight-bill"}
    assert {name for name, kind in kinds.items() if kind.shares} == {"export-declaration"}


def test_what_is_no_text_is_refused(path: Path) -> None:
    path.write_bytes(b"[freight-bill]\nrestores = []\n# \xff\n")
    with pytest.raises(ValueError, match="utf-8"):
        load_kinds(path)


def test_a_file_that_is_not_there_is_the_callers_business(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_kinds(tmp_path / "none.toml")


def test_a_seventh_kind_is_a_table_in_a_file(path: Path) -> None:
    """Beside the six that ship, with nothing else changed."""
    shipped = [kind.name for kind in load_kinds()]
    content = files("schemas").joinpath("kinds.toml").read_text(encoding="utf-8")
    path.write_text(f'{content}\n[warehouse-receipt]\nrestores = ["released"]{REST}', encoding="utf-8")
    kinds = load_kinds(path)
    assert [kind.name for kind in kinds] == [*shipped, "warehouse-receipt"]
    policy = kinds[-1].policy()
    assert (policy.attester, policy.counters, policy.single_use) == ("customs", ("financing",), False)
    assert policy.reservation == 90 * 86_400
