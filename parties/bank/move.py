"""A draw moves from a deleted document to the one that replaces it: the bank drafts, the owner proves, the bank commits.

The draft is for exactly what is outstanding, under the draw's own key; so the owner need not be asked again whether it agrees.
"""

from __future__ import annotations

from parties.bank.desk import Desk
from parties.bank.draft import drafted, draw_memos
from parties.bank.records import DrawRecord, FinancingRecord, PendingSteps, Place, opening_of
from parties.bank.steps import deliver, require_stage, under_way
from parties.common.errors import Refused
from zkcore.context import ID_SIZE
from zkcore.ledger import DocumentFacts
from zkcore.ledger.state import ENDS, MOVE, RESERVED
from zkcore.operations import DELETED
from zkcore.secret.opening import fresh_opening
from zkcore.secret.operations import prove_draft

_DAYS = 7
_DAY = 86_400


def prepare_move(desk: Desk, reference: str, note: str = "") -> FinancingRecord:
    """The record with drafts of every draw whose document was deleted and replaced: those there are, or new ones.

    Raises InputError for an unknown reference, Refused where no draw of the financing has to move or its document has no
    replacement.
    """
    with desk.home.lock():
        record = desk.book.by_reference(reference)
        if isinstance(record.pending, PendingSteps):
            record = deliver(desk, record)
        if record.sent:
            raise under_way()
        after = record
        for index, line in enumerate(record.lines):
            place = _place(desk, line)
            if place is not None and _to_draft(desk, line, place):
                after = after.with_line(index, _draft(desk, record, line, place, note))
        if not any(line.moving is not None for line in after.lines):
            raise Refused(
                "nothing-to-move",
                "no draw of this financing is on a document that was deleted and replaced",
                "该融资没有登记在已删单并有替代单证的单证上",
            )
        desk.book.save(after)
        return after


def _place(desk: Desk, line: DrawRecord) -> Place | None:
    """The document that a draw has to move to; None when its own was not deleted, or nothing is left of it."""
    if line.standing is None or line.standing.stage in ENDS:
        return None
    status = desk.client.status(line.draft.document)
    if status.status != DELETED:
        return None
    number = line.credential.number
    if status.replacement is None:
        raise Refused(
            "no-replacement",
            f"{number} was deleted without a replacement; its draw stays where it is until it is repaid",
            f"{number} 已删单且无替代单证；该笔登记保留至还清为止",
        )
    notice = desk.client.notice(status.replacement)
    if notice.currency != line.credential.currency:
        raise Refused("another-currency", f"what replaces {number} is in another currency", f"{number} 的替代单证币种不同")
    return Place(document=status.replacement, epoch=notice.epoch, owner=notice.owner)


def _to_draft(desk: Desk, line: DrawRecord, place: Place) -> bool:
    """Whether there is no draft yet that is still good: to this place, for what is outstanding now, and not expired."""
    known = line.moving
    if known is None:
        return True
    fits = (known.place, known.opening.amount) == (place, line.outstanding.amount)
    return not fits or known.draft.expires <= desk.now


def _draft(desk: Desk, record: FinancingRecord, line: DrawRecord, place: Place, note: str) -> DrawRecord:
    require_stage(desk, line, MOVE)
    suite, moved = desk.suite, line.state(desk.suite)
    outstanding = opening_of(suite, line.outstanding)
    opening = fresh_opening(suite, outstanding.amount, desk.randomness)
    owner = suite.group.decode(place.owner)
    facts = DocumentFacts(place.document, line.credential.currency, place.epoch, owner)
    latest = desk.now + _DAYS * _DAY
    draft = prove_draft(
        suite,
        desk.log.parameters,
        facts,
        draw=desk.randomness.read(ID_SIZE),
        key=desk.draw_key(line.key_shift),
        opening=opening,
        expires=min(latest, moved.expires) if moved.stage == RESERVED else latest,
        memos=draw_memos(desk, record, opening, record.outlet, note),
        consent=None,
        asked=None,
        moved=(moved, outstanding),
        randomness=desk.randomness,
    )
    return line.model_copy(update={"moving": drafted(suite, draft, opening, place)})
