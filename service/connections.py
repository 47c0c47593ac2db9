"""One connection of a caller: the server's own reading of HTTP/1.1 by llhttp, with a bound on what is not the body.

llhttp keeps the head of a request, and the trailer that may follow its body, for as long as they go on. Bodies are bounded by
service.limits.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 16 << 10
"""Bytes of a request's line and fields: some ten times what ours are, and what most servers allow."""


class HeadTooLarge(Exception):
    """The head or the trailer of a request is larger than LARGEST_HEAD."""


class BoundedConnection(HttpToolsProtocol):
    """Answers 400 to a request whose head or trailer is too large, and closes the connection."""

    _unread = 0
    """Bytes that came since the parser last came to an end of something."""
    _kept = 0
    """Bytes of this request's line and fields."""

    def data_received(self, data: bytes) -> None:
        """Bytes from the caller, as many as came at once."""
        self._unread += len(data)
        super().data_received(data)
        if self._unread > LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of this request is too large.")

    def on_message_begin(self) -> None:
        self._kept = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._keep(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._keep(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unread = 0
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
            raise HeadTooLarge  # out of the parser, which refuses the request then
