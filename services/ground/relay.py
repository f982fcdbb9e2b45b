"""Sends what the store says is owed: left behind by a crash, refused in an outage, or lost by the broker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from nats.js import JetStreamContext
from sqlalchemy import Connection

from services.ground import outbox
from services.ground.clock import Clock
from services.ground.database import Database
from services.ground.log import logger
from services.ground.publisher import Outgoing, Publisher
from services.ground.streams import AUDIT, SUBJECTS

# Added to the broker's id of what was found untaken before, so that it is stored once more. A broker that lost messages
# can take an old acknowledgement for the new message in that place: it has it, and never delivers it, and under its own
# id would store it no sooner than in an hour. To its reader it is the same message.
AGAIN = "-again"
_OURS = [stream for stream in SUBJECTS if stream != AUDIT]  # the log is given out, and given again, from the log
ALL_TIME = datetime(9999, 1, 1, tzinfo=UTC)


class Relay:
    """One service's debts. Everything that it sends may have been sent before: ids make the repeat harmless."""

    def __init__(self, service: str, *, clock: Clock, database: Database, publisher: Publisher) -> None:
        self._service = service
        self._clock = clock
        self._database = database
        self._publisher = publisher
        self._untaken: set[str] = set()  # ids of rows that no reader had taken when last we looked
        self._log = logger(service)

    async def send_unsent(self, partitions: Sequence[int], *, older_than_seconds: float) -> None:
        """Send what these partitions owe, oldest first, page by page.

        All of it where no age is asked for: a former owner's clock may have been ahead of ours.
        """
        before = self._clock.now() - timedelta(seconds=older_than_seconds) if older_than_seconds else ALL_TIME
        after = ""
        while partitions:
            page = await self._database.read(
                lambda c, a=after: outbox.unsent(c, self._service, partitions, before=before, after=a)  # type: ignore[misc]
            )
            if page.last is None:
                return
            if page.erased:
                await self._database.write(lambda c, e=page.erased: outbox.pass_over(c, e, self._clock.now()))  # type: ignore[misc]
            await self._send(page.messages)
            self._log.info("outbox_resent", messages=len(page.messages), erased=len(page.erased))
            after = page.last

    async def reconcile(self, js: JetStreamContext, *, after_seconds: float) -> None:
        """Find what the broker lost, and what no reader took in this time, and send it again."""
        confirmed = await self._database.read(_confirmed)
        made = {stream: await js.stream_info(stream) for stream in _OURS}
        before = outbox.id_before(self._clock.now() - timedelta(seconds=after_seconds))

        def look(connection: Connection) -> tuple[dict[str, int], dict[str, list[Outgoing]]]:
            """In one transaction for all streams: mostly it finds nothing, and each would cost a commit."""
            owed = {
                stream: outbox.owe_again(
                    connection,
                    stream,
                    created=str(info.created),
                    last_sequence=info.state.last_seq,
                    confirmed=confirmed[stream].newest,
                    twice=confirmed[stream].twice,
                )
                for stream, info in made.items()
            }
            return owed, {
                stream: outbox.not_taken(connection, self._service, stream, before_id=before)
                for stream in outbox.READERS
            }

        owed, missing = await self._database.write(look)
        for stream, rows in owed.items():
            if rows:
                self._log.error("broker_lost_messages", stream=stream, owed_again=rows)
        for stream, messages in missing.items():
            if messages:
                self._log.warning("not_taken_sent_again", stream=stream, messages=len(messages))
                await self._publisher.publish([_again(m) if m.id in self._untaken else m for m in messages])
        self._untaken = {message.id for messages in missing.values() for message in messages}

    async def _send(self, page: Sequence[Outgoing]) -> None:
        confirmed = await self._publisher.publish(page)
        kept = self._publisher.still_kept(confirmed)
        await self._database.write(lambda c: outbox.mark_sent(c, kept, self._clock.now()))


def _again(message: Outgoing) -> Outgoing:
    return message._replace(id=f"{message.id}{AGAIN}")


class _Confirmed(NamedTuple):
    newest: int  # place that the broker confirmed
    twice: list[int]  # places that it confirmed to two messages


def _confirmed(connection: Connection) -> dict[str, _Confirmed]:
    """What the broker confirmed, by stream."""
    newest = {stream: outbox.newest_confirmed(connection, stream) for stream in _OURS}
    return {s: _Confirmed(n, outbox.given_twice(connection, s, newest=n)) for s, n in newest.items()}
