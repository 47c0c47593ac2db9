"""Papers that a bank was shown and checks for authenticity: a file with a row for each, and the attester's records of them.

Both sides are the parties' own code: the attester publishes what `tradeveil customs publish` does, and the bank checks the file
as `tradeveil bank check` does, key and home and all.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stdnum.cn import uscc

from benchmarks import scenario, serving
from benchmarks.scenario import Document, World
from benchmarks.serving import Service
from parties.bank.check import check_papers
from parties.bank.desk import Desk
from parties.common.credentials import Said, issue_credential
from parties.common.home import Home
from parties.common.keyring import About, create_signer
from parties.common.request_keys import RequestSecret
from parties.common.runtime import connect
from parties.customs.publish import draft_of, keep_unpublished, publish_unpublished
from schemas.identities import Role

_DATE = "2026-03-02"
_HOLDER = "91330200MA2AB1CD0"
_TOTAL = f"{scenario.LIMIT // 100}.{scenario.LIMIT % 100:02}"


def publish(world: World, service: Service, papers: Sequence[Document], folder: Path) -> bytes:
    """The attester publishes a record of each of these registered documents. Returns the bank's file about them, as CSV."""
    office = open_desk(world, service, folder, "attester", serving.ATTESTER)
    said = [_said(paper, number) for number, paper in enumerate(papers)]
    drafts = [
        draft_of(issue_credential(world.suite, world.parameters, item, world.attester, world.randomness)) for item in said
    ]
    keep_unpublished(office.home, drafts)
    publish_unpublished(office)
    rows = [f"{draft.number},{draft.holder},{draft.currency},{_TOTAL},{_DATE}" for draft in drafts]
    return "\n".join(["declaration_number,owner_credit_code,currency,total,declared_on", *rows]).encode("utf-8")


def open_desk(world: World, service: Service, folder: Path, role: Role, request: RequestSecret) -> Desk:
    """An institution at work with this request key, as a command would open it. What it has serves an attester as well."""
    home = Home.create(folder / role)
    signer = create_signer(home, world.suite, About(role, role, role, scenario.ORIGIN), world.randomness)
    signer = replace(signer, request=request)
    return Desk(world.suite, home, signer, connect(service.url, signer.requester), world.randomness, int(time.time()))


def check(desk: Desk, content: bytes) -> int:
    """How many rows of a file are authentic and financeable."""
    return check_papers(desk, content).counts().get("financeable", 0)


def _said(paper: Document, number: int) -> Said:
    """What the attester says of a document: all that is on its paper."""
    state = paper.state
    return Said(
        document=state.document,
        kind=state.kind,
        counter=state.counter,
        currency=state.currency,
        epoch=state.epoch,
        number=f"223320260{number:09}",
        holder=_HOLDER + uscc.calc_check_digit(_HOLDER),
        name="Benchmark Trading",
        date=_DATE,
        declared=_DATE,
        total=scenario.LIMIT,
        limit=scenario.LIMIT,
        mode="0110",
        share="whole",
        owner=state.owner.encode(),
    )
