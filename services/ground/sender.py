"""Sends what a service's units of work left in the outbox, in the order of their commits, and acknowledges last."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nats.aio.client import Client

from services.ground import outbox
from services.ground.clock import Clock
from services.ground.database import Database
from services.ground.microbatch import Delivery, Microbatch
from services.ground.publisher import Confirmed, Outgoing, Publisher
from services.ground.relay import Relay
from services.ground.settings import Settings
from services.ground.together import Owner, Together
from services.ground.work import Work


class Sender:
    """One service's way out. Its calls are served in their order, and that of the others of its process."""

    def __init__(
        self,
        service: str,
        *,
        settings: Settings,
        clock: Clock,
        database: Database,
        connection: Client,
        subscription: Microbatch,
        together: Together,
    ) -> None:
        self._clock = clock
        self._database = database
        self._subscription = subscription
        self._together = together
        self.publisher = Publisher(connection, timeout_seconds=settings.publish_seconds)
        self.relay = Relay(service, clock=clock, database=database, publisher=self.publisher)
        self._confirmed: list[Confirmed] = []  # published, to be marked in the next transaction

    async def start(self) -> None:
        """Listen for confirmations."""
        await self.publisher.start()

    def reconnected(self) -> None:
        """The broker was away and is back."""
        self.publisher.reconnected()

    def take_marks(self) -> list[Confirmed]:
        """What was published and is still there, to be marked as sent by whoever writes next."""
        marks, self._confirmed = self.publisher.still_kept(self._confirmed), []
        return marks

    def give_back(self, marks: Sequence[Confirmed]) -> None:
        """They were not marked."""
        self._confirmed = [*marks, *self._confirmed]

    async def send_then_ack(self, work: Work, done: Sequence[Delivery]) -> None:
        """Publish what a unit of work left, then acknowledge what it took."""
        try:
            await self.publish(work.outgoing, work.owners)
            await self._subscription.ack(done)
        finally:
            self._subscription.leave(done)  # unless acknowledged: no longer kept alive, so it comes again

    async def publish(self, messages: Sequence[Outgoing], owners: Collection[Owner]) -> None:
        """Publish what transactions of these owners left to be sent."""
        try:
            async with self._together.sending:  # while one asks the store what is owed, the next must not overtake it
                await self._together.send_owed()
                confirmed = await self.publisher.publish(messages)
        except BaseException:
            self._together.owe(owners)
            raise
        # Not in one line with the wait: that would read the list before it, and put back what was marked meanwhile.
        self._confirmed += confirmed

    async def flush(self) -> None:
        """Mark what was published while no transaction came along to do it."""
        if not self._confirmed:
            return
        marks = self.take_marks()
        try:
            await self._database.write(lambda c: outbox.mark_sent(c, marks, self._clock.now()))
        except BaseException:
            self.give_back(marks)
            raise
