"""Keeps one message from ending a connection: nats-py decodes subjects and header lines without a guard.

The server stores whatever bytes a publisher gives as subject or header. A subject that is not UTF-8 raises in the
client's reading loop, which ends it for good: nothing would be taken any more, from anybody. Such a message is
delivered with what cannot be read replaced instead, and goes to quarantine like any other bad one.

Of headers only the broker's own status is read: nothing that a publisher says there means anything to us, and taking
the header of every message apart cost as much as taking the message in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nats.aio.client import Client
from nats.aio.msg import Msg

Headers = dict[str, str] | None

_STATUS = b"NATS/1.0 "  # a publisher's own headers have the line's end here


def toughen(connection: Client) -> None:
    """Let this connection survive any subject and any headers."""
    parse_headers: Callable[[bytes], Awaitable[Headers]] = connection._process_headers  # noqa: SLF001 - see above

    async def status_or_none(headers: bytes) -> Headers:
        if not headers or not headers.startswith(_STATUS):
            return None
        try:
            return await parse_headers(headers)
        except (UnicodeDecodeError, IndexError):
            return None

    def build(sid: int, subject: bytes, reply: bytes, data: bytes, headers: Headers) -> Msg:
        shown = subject.decode(errors="backslashreplace")
        return connection.msg_class(
            _client=connection, subject=shown, reply=reply.decode(), data=data, headers=headers, _sid=sid
        )

    connection._process_headers = status_or_none  # type: ignore[method-assign]  # noqa: SLF001
    connection._build_message = build  # type: ignore[method-assign]  # noqa: SLF001
