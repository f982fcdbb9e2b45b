"""Sends what the store says is owed: left behind by a crash, refused in an outage, or lost by the broker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from nats.js import JetStreamContext
from sqlalchemy import Connection

from services.ground import outbox
from services.ground.clock import Clock
from services.ground.database import Database
from services.ground.log import logger
from services.ground.publisher import Outgoing, Publisher
from services.ground.streams import SUBJECTS

ALL_TIME = datetime(9999, 1, 1, tzinfo=UTC)


class Relay:
    """One service's debts. Everything that it sends may have been sent before: ids make the repeat harmless."""

    def __init__(self, service: str, *, clock: Clock, database: Database, publisher: Publisher) -> None:
        self._service = service
        self._clock = clock
        self._database = database
        self._publisher = publisher
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
            if not page:
                return
            await self._send(page)
            self._log.info("outbox_resent", messages=len(page))
            after = page[-1].id

    async def reconcile(self, js: JetStreamContext, *, after_seconds: float) -> None:
        """Find what the broker lost, and what no reader took in this time, and send it again."""
        for stream in SUBJECTS:
            confirmed, twice = await self._database.read(lambda c, s=stream: _confirmed(c, s))  # type: ignore[misc]
            info = await js.stream_info(stream)
            owed = await self._database.write(
                lambda c, s=stream, i=info, n=confirmed, t=twice: outbox.owe_again(  # type: ignore[misc]
                    c, s, created=str(i.created), last_sequence=i.state.last_seq, confirmed=n, twice=t
                )
            )
            if owed:
                self._log.error("broker_lost_messages", stream=stream, owed_again=owed)
        before = outbox.id_before(self._clock.now() - timedelta(seconds=after_seconds))
        for stream in outbox.READERS:
            missing = await self._database.write(
                lambda c, s=stream: outbox.not_taken(c, self._service, s, before_id=before)  # type: ignore[misc]
            )
            if missing:
                self._log.warning("not_taken_sent_again", stream=stream, messages=len(missing))
                await self._publisher.publish(missing)

    async def _send(self, page: Sequence[Outgoing]) -> None:
        confirmed = await self._publisher.publish(page)
        kept = self._publisher.still_kept(confirmed)
        await self._database.write(lambda c: outbox.mark_sent(c, kept, self._clock.now()))


def _confirmed(connection: Connection, stream: str) -> tuple[int, list[int]]:
    """The newest place that the broker confirmed, and those that it confirmed to two messages."""
    newest = outbox.newest_confirmed(connection, stream)
    return newest, outbox.given_twice(connection, stream, newest=newest)
