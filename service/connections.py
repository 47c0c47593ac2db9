"""One connection of a caller: the server's own reading of HTTP/1.1 by llhttp, and what it leaves open.

llhttp keeps the head of a request, and the trailer that may follow its body, for as long as they go on; takes what follows a
request to upgrade for another protocol, which there is none of here; and reads on while requests before are being answered. So
all that is not a body has a bound here, whoever asks for an upgrade is refused (RFC 9110, section 7.8, would have it ignored),
and few requests may wait on one connection. Bodies are bounded by service.limits.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

LARGEST_HEAD = 16 << 10
"""Bytes of a request's line and fields: some ten times what ours are, and what most servers allow."""
MOST_WAITING = 8
"""Requests that were sent before the one before them was answered."""


_TOO_LARGE = "The head of this request is too large."


class ConnectionRefused(Exception):
    """What came is not taken; the message says why."""


class BoundedConnection(HttpToolsProtocol):
    """Answers 400 to what it does not take, and closes the connection."""

    _unread = 0
    """Bytes that came since the parser last came to an end of something."""
    _kept = 0
    """Bytes of this request's line and fields."""
    _in_head = False
    _complaint: str | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes from the caller, as many as came at once."""
        self._unread += len(data)
        super().data_received(data)
        if self._unread > LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response(_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """Close, and say why, unless a request before is being answered: that would be taken for its answer."""
        cycle: RequestResponseCycle | None = self.cycle
        answering = cycle is not None and not cycle.response_complete and (cycle.response_started or not cycle.more_body)
        if answering or self.pipeline:
            self.transport.close()
        else:
            super().send_400_response(self._complaint or msg)

    def on_message_begin(self) -> None:
        self._kept, self._in_head = 0, True
        if len(self.pipeline) >= MOST_WAITING:
            raise self._refused("Too many requests wait on this connection.")
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._keep(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; those of a trailer count, and are left out (RFC 9110, section 6.5.1)."""
        self._keep(len(name) + len(value))
        if self._in_head:
            super().on_header(name, value.strip(b" \t"))

    def on_headers_complete(self) -> None:
        self._unread, self._in_head = 0, False
        if self.parser.should_upgrade():
            raise self._refused("There is HTTP/1.1 alone here: send this request without Upgrade.")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        super().on_message_complete()

    def _keep(self, size: int) -> None:
        self._kept += size
        if self._kept > LARGEST_HEAD:
            raise self._refused(_TOO_LARGE)

    def _refused(self, complaint: str) -> ConnectionRefused:
        """To be raised out of the parser, which gives up then."""
        self._complaint = complaint
        return ConnectionRefused(complaint)
