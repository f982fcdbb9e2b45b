"""Keeps one message from ending a connection: nats-py decodes subjects and header lines without a guard.

The server stores whatever bytes a publisher gives as subject or header. A subject that is not UTF-8 raises in the
client's reading loop, which ends it for good: nothing would be taken any more, from anybody. Such a message is
delivered with what cannot be read replaced instead, and goes to quarantine like any other bad one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nats.aio.client import Client
from nats.aio.msg import Msg

Headers = dict[str, str] | None


def toughen(connection: Client) -> None:
    """Let this connection survive any subject and any headers."""
    parse_headers: Callable[[bytes], Awaitable[Headers]] = connection._process_headers  # noqa: SLF001 - see above

    async def headers_or_none(headers: bytes) -> Headers:
        try:
            return await parse_headers(headers)
        except (UnicodeDecodeError, IndexError):
            return None

    def build(sid: int, subject: bytes, reply: bytes, data: bytes, headers: Headers) -> Msg:
        shown = subject.decode(errors="backslashreplace")
        return connection.msg_class(
            _client=connection, subject=shown, reply=reply.decode(), data=data, headers=headers, _sid=sid
        )

    connection._process_headers = headers_or_none  # type: ignore[method-assign]  # noqa: SLF001
    connection._build_message = build  # type: ignore[method-assign]  # noqa: SLF001
