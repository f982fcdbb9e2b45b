"""The one pattern of every service: take what is there, one transaction, publish, acknowledge last.

A crash at any point repeats work, and the inbox key makes the repeat harmless; what was committed and not published is
sent by the next owner of the partition before it takes anything new.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Generic, TypeVar

from nats.aio.client import Client
from sqlalchemy import Connection

from services.ground import leases, outbox, streams
from services.ground.batch import Bad, read_all, take_apart, take_together
from services.ground.clock import Clock
from services.ground.database import Database
from services.ground.errors import LeaseLost
from services.ground.handler import Chore, Handler, Incoming
from services.ground.log import logger
from services.ground.microbatch import Delivery, Microbatch
from services.ground.publisher import ATOMIC_FROM, Confirmed, Outgoing, Publisher
from services.ground.relay import Relay
from services.ground.settings import Settings
from services.ground.streams import feeds_of
from services.ground.work import Work

Body = TypeVar("Body")
T = TypeVar("T")

PAUSE_SECONDS = (0.2, 1.0, 3.0)  # after the 1st, 2nd and later failures in a row: an outage, not a bad message
ONES_CHORES = 0  # whoever holds this partition does what one process of a service does for all

# Nobody waits for an audit entry as somebody waits for a route, and the broker syncs to disk once for each message: at
# 200 referrals a second entries one by one were a third of its writes. So few of them wait for more, for a moment.
PATIENT_STREAMS = (streams.AUDIT,)


@dataclass
class Tally:
    """What this process did, for `onward status` and the tests."""

    taken: int = 0
    batches: int = 0
    failed_batches: int = 0


class Consumer(Generic[Body]):
    """Runs one service's handler over the partitions that this process holds."""

    def __init__(
        self,
        handler: Handler[Body],
        *,
        settings: Settings,
        clock: Clock,
        database: Database,
        connection: Client,
        chores: Sequence[Chore] = (),
    ) -> None:
        self._handler = handler
        self._settings = settings
        self._clock = clock
        self._database = database
        self._feeds = {feed.partition: feed for feed in feeds_of(handler.service, settings)}
        hold = timedelta(seconds=settings.lease_seconds)
        self._holder = leases.Holder(handler.service, settings.instance, len(self._feeds), hold)
        self._subscription = Microbatch(connection, window=settings.window)
        self._publisher = Publisher(connection, timeout_seconds=settings.publish_seconds)
        self._relay = Relay(handler.service, clock=clock, database=database, publisher=self._publisher)
        self._connection = connection
        self._epochs: dict[int, int] = {}  # the partitions that we hold
        self._changing = asyncio.Lock()  # of the partitions
        self._confirmed: list[Confirmed] = []  # published, to be marked in the next transaction
        self._gathered: list[Outgoing] = []  # committed, to be published with more of their kind
        self._gathered_of: list[Delivery] = []  # what they came from
        self._owing: Counter[int] = Counter()  # failures after which a partition's commits may not all have been sent
        self._sending = asyncio.Lock()  # batches are sent in the order in which they were committed
        self._overlap = asyncio.Semaphore(settings.overlap)
        self._in_hand: set[asyncio.Task[None]] = set()
        self._own_accord = chores
        self._chores: list[asyncio.Task[None]] = []
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False
        self._failures = 0
        self._started_at = clock.now()
        self.tally = Tally()
        self.log = logger(handler.service)

    @property
    def partitions(self) -> list[int]:
        """The partitions that this process holds now."""
        return sorted(self._epochs)

    async def start(self) -> None:
        """Take partitions, send what they owe, and begin."""
        await self._publisher.start()
        await self._look_after_partitions()
        self._chores = [
            asyncio.create_task(self._repeat(self._settings.lease_seconds / 3, self._look_after_partitions)),
            asyncio.create_task(self._repeat(self._settings.sweep_seconds, self.sweep)),
            asyncio.create_task(self._repeat(self._settings.flush_seconds, self._flush)),
            asyncio.create_task(self._repeat(self._settings.gather_seconds, self._send_gathered)),
            asyncio.create_task(self._repeat(self._settings.redelivery_seconds[0] / 3, self._subscription.keep_alive)),
            asyncio.create_task(self._repeat(self._settings.reconcile_seconds, self.reconcile)),
            *(
                asyncio.create_task(self._repeat(c.every_seconds, partial(self.do, c), c.name))
                for c in self._own_accord
            ),
        ]
        self._loop = asyncio.create_task(self._run())
        # Last, and as a chore: a broker that goes away just now is away for a moment, and we have partitions in hand.
        await self._try(self.reconcile)

    async def stop(self) -> None:
        """Finish what is in hand, hand the rest back, and let the partitions go."""
        self._stopping = True
        for task in self._chores:
            task.cancel()
        for partition in list(self._epochs):
            await self._subscription.close(partition)
        self._subscription.wake()
        running = {task for task in (self._loop, *self._in_hand) if task is not None}
        if running:
            _, unfinished = await asyncio.wait(running, timeout=self._settings.drain_seconds)
            for task in unfinished:
                task.cancel()  # committed work is in the outbox; uncommitted work comes again
        with suppress(TimeoutError):
            await asyncio.wait_for(self._send_gathered(), self._settings.drain_seconds)
        marks, held = self._publisher.still_kept(self._confirmed), list(self._epochs)
        self._confirmed, self._epochs = [], {}

        def let_go(connection: Connection) -> None:
            outbox.mark_sent(connection, marks, self._clock.now())
            leases.release(connection, self._holder, held)
            leases.sign_off(connection, self._holder)

        await self._database.write(let_go)

    def reconnected(self) -> None:
        """The broker was away and is back."""
        self._publisher.reconnected()
        self._subscription.reconnected()

    @property
    def working(self) -> bool:
        """Whether messages are being taken. A loop that ended would look well in every other way."""
        return self._loop is not None and not self._loop.done()

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._turn()
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - store or broker is away: what is unacknowledged comes again
                self.tally.failed_batches += 1
                self.log.error("batch_failed", error=type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS[min(self._failures, len(PAUSE_SECONDS) - 1)])
                self._failures += 1

    async def _turn(self) -> None:
        """Take what is there, once."""
        came = await self._subscription.next(self._settings.batch_size)
        batch = [delivery for delivery in came if delivery.partition in self._epochs]
        self._subscription.leave([delivery for delivery in came if delivery.partition not in self._epochs])
        if not batch:
            return
        try:
            await self._take(batch)
        except LeaseLost:
            self._subscription.leave(batch)
            self.log.warning("lease_lost", held=self.partitions)
            await self._look_after_partitions()
        except BaseException:
            self._subscription.leave(batch)
            raise

    async def _take(self, batch: Sequence[Delivery]) -> None:
        messages = read_all(self._handler, batch)
        try:
            work, _ = await self._transact(batch, lambda work: take_together(self._handler, messages, work))
            done = batch
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - one bad message never sinks its neighbours: each on its own
            self.log.warning("batch_taken_apart", error=type(error).__name__, messages=len(batch))
            most = self._settings.max_attempts
            work, left = await self._transact(
                batch, lambda work: take_apart(self._handler, messages, work, max_attempts=most)
            )
            done = [delivery for delivery in batch if delivery not in left]
            self._subscription.leave(left)
        self._note(messages)
        await self._overlap.acquire()
        task = asyncio.create_task(self._send_then_ack(work.outgoing, done))
        self._in_hand.add(task)
        task.add_done_callback(self._sent)

    async def _transact(self, batch: Sequence[Delivery], act: Callable[[Work], T]) -> tuple[Work, T]:
        """One transaction of the whole batch, fenced; it also marks what earlier batches published."""
        return await self._fenced({delivery.partition for delivery in batch}, act)

    async def _fenced(self, partitions: set[int], act: Callable[[Work], T]) -> tuple[Work, T]:
        epochs = {partition: self._epochs[partition] for partition in partitions if partition in self._epochs}
        if len(epochs) < len(partitions):
            raise LeaseLost(self._handler.service)
        marks, self._confirmed = self._publisher.still_kept(self._confirmed), []

        def body(connection: Connection) -> tuple[Work, T]:
            work = Work(connection, service=self._handler.service, now=self._clock.now())
            leases.fence(connection, self._holder, epochs)
            outbox.mark_sent(connection, marks, work.now)
            result = act(work)
            work.finish()
            return work, result

        try:
            return await self._database.write(body)
        except BaseException:
            self._confirmed = marks + self._confirmed
            self._owing.update(partitions)  # the store may have committed before it failed to say so
            raise

    def _note(self, messages: Sequence[Incoming[Body] | Bad]) -> None:
        self.tally.taken += len(messages)
        self.tally.batches += 1
        for message in messages:
            if isinstance(message, Bad):
                self.log.warning("message_quarantined", reason=message.why.reason)

    async def _send_then_ack(self, outgoing: Sequence[Outgoing], done: Sequence[Delivery]) -> None:
        """Beside the next transactions; the publisher keeps the order of the calls."""
        urgent = [message for message in outgoing if message.stream not in PATIENT_STREAMS]
        self._gathered += [message for message in outgoing if message.stream in PATIENT_STREAMS]
        self._gathered_of += done
        if len(urgent) == len(outgoing) or len(self._gathered) >= ATOMIC_FROM:
            await self._send_gathered(first=urgent)
        else:
            await self._publish(urgent, {delivery.partition for delivery in done})

    async def _send_gathered(self, *, first: Sequence[Outgoing] = ()) -> None:
        """Publish what was gathered, and acknowledge last what it came from: the rest of that was published before."""
        messages, self._gathered = [*first, *self._gathered], []
        done, self._gathered_of = self._gathered_of, []
        try:
            await self._publish(messages, {delivery.partition for delivery in done})
            await self._subscription.ack(done)
        finally:
            self._subscription.leave(done)  # unless acknowledged: no longer kept alive, so it comes again

    async def _publish(self, messages: Sequence[Outgoing], of: Collection[int]) -> None:
        """Publish what transactions of these partitions left to be sent."""
        try:
            async with self._sending:  # while one asks the store what is owed, the next must not overtake it
                await self._send_owed()
                confirmed = await self._publisher.publish(messages)
        except BaseException:
            self._owing.update(set(of))
            raise
        # Not in one line with the wait: that would read the list before it, and put back what was marked meanwhile.
        self._confirmed += confirmed

    async def _send_owed(self) -> None:
        """What is committed and perhaps not sent goes before anything newer, which would overtake it otherwise."""
        if self._owing:
            owing = dict(self._owing)
            await self._relay.send_unsent(sorted(owing.keys() & self._epochs), older_than_seconds=0)
            for partition, failures in owing.items():
                if self._owing[partition] == failures:  # none more meanwhile
                    del self._owing[partition]

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._in_hand.discard(task)
        self._overlap.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.log.warning("send_failed", error=type(error).__name__)

    async def _look_after_partitions(self) -> None:
        """Renew our leases, let go of what we lost, and take up what is new."""
        async with self._changing:
            now = self._clock.now()
            kept = await self._database.write(
                lambda c: leases.renew(c, self._holder, now, started_at=self._started_at, taken=self.tally.taken)
            )
            gone = [p for p, epoch in self._epochs.items() if kept.get(p) != epoch]
            for partition in gone:
                del self._epochs[partition]
                await self._subscription.close(partition)
            if gone:
                if self._in_hand:
                    await asyncio.wait(set(self._in_hand), timeout=self._settings.drain_seconds)
                surplus = [p for p in gone if p not in kept]
                await self._database.write(lambda c: leases.release(c, self._holder, surplus))
            new = {p: epoch for p, epoch in kept.items() if p not in self._epochs}
            if new:
                # First what a former owner committed and did not send: it comes before anything new.
                await self._relay.send_unsent(list(new), older_than_seconds=0)
                for partition, epoch in new.items():
                    self._epochs[partition] = epoch
                    try:
                        await self._subscription.open(self._feeds[partition])
                    except BaseException:
                        del self._epochs[partition]  # nothing is pulled, so at the next look it is new again
                        raise
                self.log.info("partitions_taken", partitions=sorted(new))

    async def do(self, chore: Chore) -> None:
        """Do a chore page by page, each in a transaction of its own, where this process holds the partition for it."""
        more = True
        while more and ONES_CHORES in self._epochs and not self._stopping:
            try:
                work, more = await self._fenced({ONES_CHORES}, chore.act)
            except LeaseLost:
                return  # whoever has the partition now does it
            await self._publish(work.outgoing, {ONES_CHORES})

    async def sweep(self) -> None:
        """Send what our partitions owe and no batch of ours is about to send."""
        await self._relay.send_unsent(self.partitions, older_than_seconds=self._settings.sweep_seconds)

    async def reconcile(self) -> None:
        """Look for what was lost on the way to a reader. One process a service does: the owner of its partition 0."""
        if ONES_CHORES in self._epochs:
            js = self._connection.jetstream()
            await self._relay.reconcile(js, after_seconds=self._settings.reconcile_seconds)

    async def _flush(self) -> None:
        """Mark what was published while no transaction came along to do it."""
        if not self._confirmed or self._in_hand:
            return
        marks, self._confirmed = self._publisher.still_kept(self._confirmed), []
        try:
            await self._database.write(lambda c: outbox.mark_sent(c, marks, self._clock.now()))
        except BaseException:
            self._confirmed = marks + self._confirmed
            raise

    async def _repeat(self, seconds: float, chore: Callable[[], Awaitable[None]], name: str | None = None) -> None:
        with suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(seconds)
                await self._try(chore, name)

    async def _try(self, chore: Callable[[], Awaitable[None]], name: str | None = None) -> None:
        try:
            await chore()
        except Exception as error:  # noqa: BLE001 - the store or the broker is away: again next time
            self.log.warning("chore_failed", chore=name or chore.__name__, error=type(error).__name__)
