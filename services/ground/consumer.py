"""The one pattern of every service: take what is there, one transaction, publish, acknowledge last.

A crash at any point repeats work, and the inbox key makes the repeat harmless; what was committed and not published is
sent by the next owner of the partition before it takes anything new.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Generic, TypeVar

from nats.aio.client import Client
from sqlalchemy import Connection

from services.ground import leases, outbox
from services.ground.batch import Bad, read_all, take_apart, take_together
from services.ground.clock import Clock
from services.ground.database import Database
from services.ground.errors import LeaseLost, OnwardError
from services.ground.handing_on import NotHandedOn, Reader, hand_on
from services.ground.handler import Chore, Duty, Handler, Hands, Incoming
from services.ground.keys import KEYS_A_MESSAGE, make_ahead
from services.ground.log import logger
from services.ground.microbatch import Delivery, Microbatch
from services.ground.sender import Sender
from services.ground.settings import Settings
from services.ground.streams import feeds_of, partitions_of
from services.ground.together import Together
from services.ground.work import Work

Body = TypeVar("Body")
T = TypeVar("T")

PAUSE_SECONDS = (0.2, 1.0, 3.0)  # after the 1st, 2nd and later failures in a row: an outage, not a bad message
ONES_CHORES = 0  # whoever holds this partition does what one process of a service does for all


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
        duties: Sequence[Duty] = (),
        together: Together | None = None,
    ) -> None:
        """`together` is shared with the other services of this process, where their store has one writer."""
        self._handler = handler
        self._together = together or Together()
        self._settings = settings
        self._clock = clock
        self._database = database
        self._feeds = {feed.partition: feed for feed in feeds_of(handler.service, settings)}
        hold = timedelta(seconds=settings.lease_seconds)
        self._holder = leases.Holder(handler.service, settings.instance, partitions_of(handler.service, settings), hold)
        self._subscription = Microbatch(connection, window=settings.window)
        self._sender = Sender(
            handler.service,
            settings=settings,
            clock=clock,
            database=database,
            connection=connection,
            subscription=self._subscription,
            together=self._together,
        )
        self._connection = connection
        self._epochs: dict[int, int] = {}  # the partitions that we hold
        self._changing = asyncio.Lock()  # of the partitions
        # Those that are committed and not yet sent, and the one on its way to the store.
        self._overlap = asyncio.Semaphore(settings.overlap + 1)
        self._in_hand: set[asyncio.Task[None]] = set()
        self._own_accord = chores
        self._duties = duties
        self._hands = Hands(self._write_as_owner, connection, self.note_taken)
        self._chores: list[asyncio.Task[None]] = []
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False
        self._failures = 0
        self._started_at = clock.now()
        self.tally = Tally()
        self.failing: dict[str, str] = {}  # the duties that failed when last they were tried, and why
        self.log = logger(handler.service)

    @property
    def partitions(self) -> list[int]:
        """The partitions that this process holds now."""
        return sorted(self._epochs)

    @property
    def handler(self) -> Handler[Body]:
        """What it does with a batch."""
        return self._handler

    @property
    def epochs(self) -> Mapping[int, int]:
        """The partitions that it holds now, each with its epoch."""
        return self._epochs

    @property
    def in_hand(self) -> Collection[asyncio.Task[None]]:
        """What it has committed and not yet sent."""
        return self._in_hand

    def note_taken(self, messages: int) -> None:
        """So many were taken otherwise than from its subscription."""
        self.tally.taken += messages

    async def start(self) -> None:
        """Take partitions, send what they owe, and begin."""
        await self._sender.start()
        self._together.join(self)
        await self._look_after_partitions()
        self._chores = [
            asyncio.create_task(self._repeat(self._settings.lease_seconds / 3, self._look_after_partitions)),
            asyncio.create_task(self._repeat(self._settings.sweep_seconds, self.sweep)),
            asyncio.create_task(self._repeat(self._settings.flush_seconds, self._flush)),
            asyncio.create_task(self._repeat(self._settings.redelivery_seconds[0] / 3, self._subscription.keep_alive)),
            asyncio.create_task(self._repeat(self._settings.reconcile_seconds, self.reconcile)),
            *(
                asyncio.create_task(self._repeat(c.every_seconds, partial(self.do, c), c.name))
                for c in self._own_accord
            ),
            *(
                asyncio.create_task(self._repeat(d.every_seconds, partial(self.see_to, d), d.name))
                for d in self._duties
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
        self._together.leave(self)
        marks, held = self._sender.take_marks(), list(self._epochs)
        self._epochs = {}

        def let_go(connection: Connection) -> None:
            outbox.mark_sent(connection, marks, self._clock.now())
            leases.release(connection, self._holder, held)
            leases.sign_off(connection, self._holder)

        await self._database.write(let_go)

    def reconnected(self) -> None:
        """The broker was away and is back."""
        self._sender.reconnected()
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
        await self._overlap.acquire()
        try:
            await self._take(batch)
        except LeaseLost:
            self._overlap.release()
            self._subscription.leave(batch)
            self.log.warning("lease_lost", held=self.partitions)
            await self._look_after_partitions()
        except BaseException:
            self._overlap.release()
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
        task = asyncio.create_task(self._sender.send_then_ack(work, done))
        self._in_hand.add(task)
        task.add_done_callback(self._sent)

    async def _transact(self, batch: Sequence[Delivery], act: Callable[[Work], T]) -> tuple[Work, T]:
        """One transaction of the whole batch, fenced; it also marks what earlier batches published."""
        await make_ahead(self._database, KEYS_A_MESSAGE * len(batch), self._clock.now())
        return await self._fenced({delivery.partition for delivery in batch}, act)

    async def _fenced(self, partitions: set[int], act: Callable[[Work], T]) -> tuple[Work, T]:
        epochs = {partition: self._epochs[partition] for partition in partitions if partition in self._epochs}
        if len(epochs) < len(partitions):
            raise LeaseLost(self._handler.service)
        readers = self._together.readers_after(self._handler.service)
        while True:
            try:
                return await self._handing_on(epochs, readers, act)
            except NotHandedOn as why:
                self.log.warning("not_handed_on", to=why.service, error=str(why))
                readers = readers[: [reader.handler.service for reader in readers].index(why.service)]

    async def _handing_on(
        self, epochs: Mapping[int, int], readers: Sequence[Reader], act: Callable[[Work], T]
    ) -> tuple[Work, T]:
        marks = self._sender.take_marks()
        service = self._handler.service
        ours = {(service, partition) for partition in epochs}

        def body(connection: Connection) -> tuple[Work, T, Counter[str]]:
            work = Work(connection, service=service, now=self._clock.now(), organisation=self._settings.organisation)
            work.owners |= ours
            held = (leases.fence_all if readers else leases.fence)(connection, self._holder, epochs)
            outbox.mark_sent(connection, marks, work.now)
            result = act(work)
            taken = hand_on(work, readers, held or {})
            work.finish()
            return work, result, taken

        try:
            work, result, taken = await self._database.write(body)
        except BaseException as error:
            self._sender.give_back(marks)
            if isinstance(error, NotHandedOn):
                raise  # before the commit, so nobody owes anything
            # The store may have committed before it failed to say so.
            self._together.owe(ours | {(r.handler.service, partition) for r in readers for partition in r.epochs})
            raise
        self._together.note_taken(taken)
        return work, result

    def _note(self, messages: Sequence[Incoming[Body] | Bad]) -> None:
        self.tally.taken += len(messages)
        self.tally.batches += 1
        for message in messages:
            if isinstance(message, Bad):
                self.log.warning("message_quarantined", reason=message.why.reason)

    async def send_unsent(self, partitions: Sequence[int]) -> None:
        """Send what these partitions owe, before anything newer."""
        await self._sender.relay.send_unsent(partitions, older_than_seconds=0)

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
                if in_hand := self._together.in_hand():
                    await asyncio.wait(in_hand, timeout=self._settings.drain_seconds)
                surplus = [p for p in gone if p not in kept]
                await self._database.write(lambda c: leases.release(c, self._holder, surplus))
            new = {p: epoch for p, epoch in kept.items() if p not in self._epochs}
            if new:
                # First what a former owner committed and did not send: it comes before anything new.
                await self._sender.relay.send_unsent(list(new), older_than_seconds=0)
                for partition, epoch in new.items():
                    self._epochs[partition] = epoch
                    try:
                        if partition in self._feeds:
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
            await asyncio.create_task(self._sender.publish(work.outgoing, work.owners))  # as a batch's are, in its turn

    async def see_to(self, duty: Duty) -> None:
        """Do a duty once, where this process holds the partition for it. Raises what it raises, and remembers why."""
        if ONES_CHORES not in self._epochs or self._stopping:
            self.failing.pop(duty.name, None)
            return
        try:
            await duty.act(self._hands)
        except LeaseLost:
            return  # whoever has the partition now does it
        except Exception as error:
            self.failing[duty.name] = str(error) if isinstance(error, OnwardError) else type(error).__name__
            raise
        self.failing.pop(duty.name, None)

    async def _write_as_owner(self, act: Callable[[Work], None]) -> None:
        work, _ = await self._fenced({ONES_CHORES}, act)
        await asyncio.create_task(self._sender.publish(work.outgoing, work.owners))

    async def sweep(self) -> None:
        """Send what our partitions owe and no batch of ours is about to send."""
        await self._sender.relay.send_unsent(self.partitions, older_than_seconds=self._settings.sweep_seconds)

    async def reconcile(self) -> None:
        """Look for what was lost on the way to a reader. One process a service does: the owner of its partition 0."""
        if ONES_CHORES in self._epochs:
            js = self._connection.jetstream()
            await self._sender.relay.reconcile(js, after_seconds=self._settings.reconcile_seconds)

    async def _flush(self) -> None:
        if not self._in_hand:
            await self._sender.flush()

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
