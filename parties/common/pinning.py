"""The log that a party works with is fixed when it first works with it: another first entry later is refused.

Everything a party seals or proves rests on the keys in that entry. A service that could exchange them unnoticed, one party or
one day at a time, could have amounts sealed to a key of its own.
"""

from __future__ import annotations

from parties.common.client import Log, ServiceClient
from parties.common.errors import ServiceMisbehaved
from parties.common.home import Home
from schemas.entries import encode_entry
from schemas.wire import Digest, Message, Origin
from tlog.leaf import leaf_hash
from zkcore.suite import Suite

LOG_FILE = "log.json"


class PinnedLog(Message):
    """The leaf hash of the log's first entry. Two parties with the same one work with the same keys."""

    origin: Origin
    genesis: Digest


def pinned_log(home: Home, client: ServiceClient, suite: Suite, origin: str) -> Log:
    """The service's log, checked, and the very one that this home began with; it is kept there the first time.

    Raises ServiceMisbehaved for another first entry than before, and what ServiceClient.parameters raises.
    """
    log = client.parameters(suite, origin)
    found = PinnedLog(origin=origin, genesis=leaf_hash(encode_entry(log.genesis)))
    if not home.exists(LOG_FILE):
        home.save(LOG_FILE, found)
    elif home.load(LOG_FILE, PinnedLog) != found:
        raise ServiceMisbehaved(
            "another-genesis",
            "the keys of this log are not those that this home has worked with; do nothing, and tell the regulator",
            "该日志的密钥与此前使用的不一致；请勿继续操作，并告知监管方",
        )
    return log
