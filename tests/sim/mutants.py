"""Mistakes that a tired developer makes, planted in the real code one at a time. The simulation must catch each.

The numbers are those of the list of common mistakes in the project's notes on reliability, where the mistake is there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import pytest
from sqlalchemy import Connection

from schemas.refusal import Unacceptable
from services.ground import batch, consumer, inorder, leases, relay, tables
from services.ground.batch import Bad
from services.ground.clock import WallClock
from services.ground.consumer import Consumer
from services.ground.errors import LeaseLost
from services.ground.handler import Incoming
from services.ground.inorder import Place
from services.ground.microbatch import Delivery, Microbatch
from services.ground.publisher import Answer, Confirmed, Outgoing, Publisher
from services.ground.relay import Relay
from services.ground.sql import upsert
from services.ground.work import Key, Work
from services.intake import store as intake_store
from services.intake.handlers import IntakeHandler
from services.router import handlers as router_handlers
from services.router.casework.case import Case
from tests.sim.chaos import Fault
from tests.sim.loop import current

Patch = pytest.MonkeyPatch


# The order of commit, publish and acknowledgement


def ack_before_commit(patch: Patch) -> None:
    """7: acknowledge, then begin the transaction."""
    transact = Consumer._transact

    async def hasty(self: Consumer[Any], messages: Sequence[Delivery], act: Any) -> Any:
        await self._subscription.ack(messages)
        return await transact(self, messages, act)

    patch.setattr(Consumer, "_transact", hasty)


def ack_of_what_failed(patch: Patch) -> None:
    """An error is logged, and the batch is acknowledged all the same."""
    take = Consumer._take

    async def forgiving(self: Consumer[Any], messages: Sequence[Delivery]) -> None:
        try:
            await take(self, messages)
        except LeaseLost:
            raise
        except Exception:  # noqa: BLE001 - this is the mistake
            await self._subscription.ack(messages)

    patch.setattr(Consumer, "_take", forgiving)


def publish_before_commit(patch: Patch) -> None:
    """8: publish from inside the transaction, which may yet be undone."""
    transact = Consumer._transact

    async def eager(self: Consumer[Any], messages: Sequence[Delivery], act: Callable[[Work], Any]) -> Any:
        def acting(work: Work) -> Any:
            result = act(work)
            asyncio.get_running_loop().create_task(self._publisher.publish(list(work.outgoing)))
            return result

        return await transact(self, messages, acting)

    patch.setattr(Consumer, "_transact", eager)


def no_outbox(patch: Patch) -> None:
    """What is to be sent is kept in memory alone."""
    patch.setattr(Work, "finish", lambda self: None)


def sent_before_confirmed(patch: Patch) -> None:
    """9: mark as sent what was handed to the client, and wait for nothing."""

    async def trusting(self: Publisher, reply: asyncio.Future[Answer]) -> Answer:
        return {"seq": 1_000_000}

    patch.setattr(Publisher, "_answer", trusting)


def fresh_id_per_retry(patch: Patch) -> None:
    """10: each attempt is a new message to the broker."""
    send, numbers = Publisher._send, iter(range(1, 10**9))

    async def anew(self: Publisher, row: Outgoing) -> asyncio.Future[Answer]:
        return await send(self, replace(row, id=f"{row.id}-{next(numbers)}"))

    patch.setattr(Publisher, "_send", anew)


def timeout_is_failure(patch: Patch) -> None:
    """17: what was not confirmed in time is given up, for the sweep to find; newer commands go on."""

    async def once(self: Publisher, messages: Sequence[Outgoing]) -> list[Confirmed]:
        async with self._order:
            return await self._attempt(messages)

    patch.setattr(Publisher, "publish", once)


# Repeats


def no_inbox(patch: Patch) -> None:
    """11: keys are noted and never asked for; the broker's own window is enough against repeats."""
    first_time = Work.first_time

    def all_are_new(self: Work, keys: Sequence[Key]) -> set[Key]:
        first_time(self, keys)
        return set(keys)

    patch.setattr(Work, "first_time", all_are_new)


def inbox_by_delivery(patch: Patch) -> None:
    """13: what counts is the message's place in the stream, and not the event's (source, id)."""
    first_time, read_all = Work.first_time, batch.read_all
    places: dict[Key, Key] = {}

    def noting(handler: Any, deliveries: Sequence[Delivery]) -> list[Incoming[Any] | Bad]:
        read = read_all(handler, deliveries)
        for message in read:
            if isinstance(message, Incoming) and message.key:
                places[message.key] = Key(message.delivery.stream, str(message.delivery.stream_sequence))
        return read

    def by_place(self: Work, keys: Sequence[Key]) -> set[Key]:
        first_time(self, keys)
        beside = Work(self.connection, service=f"places of {self.service}", now=self.now)
        new = first_time(beside, [places[key] for key in keys])
        return {key for key in keys if places[key] in new}

    patch.setattr(consumer, "read_all", noting)
    patch.setattr(Work, "first_time", by_place)


def inbox_in_its_own_transaction(patch: Patch) -> None:
    """12: the key is kept in one transaction and the effect in the next."""
    first_time, write = Work.first_time, Consumer._transact

    async def two(self: Consumer[Any], messages: Sequence[Delivery], act: Callable[[Work], Any]) -> Any:
        keys = [m.key for m in consumer.read_all(self._handler, messages) if isinstance(m, Incoming) and m.key]
        new: set[Key] = set()

        def keep(connection: Connection) -> None:
            nonlocal new
            new = first_time(Work(connection, service=self._handler.service, now=self._clock.now()), keys)

        await self._database.write(keep)

        def acting(work: Work) -> Any:
            work.first_time = lambda keys: new & set(keys)  # type: ignore[method-assign]
            return act(work)

        return await write(self, messages, acting)

    patch.setattr(Consumer, "_transact", two)


def repeat_at_intake_is_new(patch: Patch) -> None:
    """A source's repeat is taken for a new event."""
    patch.setattr(intake_store, "accepted_before", lambda connection, keys: {})


def refused_passes_for_repeat(patch: Patch) -> None:
    """The key of what was set aside stays, so that the mended one is dropped as its repeat."""
    patch.setattr(Work, "_forget", lambda self, key: None)


def conflict_is_a_repeat(patch: Patch) -> None:
    """Another body under a known id is taken for a repeat, and nobody is told."""
    refuse = IntakeHandler.refuse

    def silent(self: IntakeHandler, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        if why.reason != "conflict":
            refuse(self, delivery, why, work, key=key)

    patch.setattr(IntakeHandler, "refuse", silent)


# Audit


def audit_after_commit(patch: Patch) -> None:
    """14: the entry is written in a transaction of its own, when all is done."""
    audit, transact = Work.audit, Consumer._transact
    later: dict[int, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {}

    async def afterwards(self: Consumer[Any], messages: Sequence[Delivery], act: Callable[[Work], Any]) -> Any:
        work, result = await transact(self, messages, act)
        entries = later.pop(id(work), [])

        def write(connection: Connection) -> Work:
            second = Work(connection, service=work.service, now=work.now)
            for words, named in entries:
                audit(second, *words, **named)
            second.finish()
            return second

        if entries:
            work.outgoing += (await self._database.write(write)).outgoing
        return work, result

    def put_off(self: Work, *words: Any, **named: Any) -> None:
        later.setdefault(id(self), []).append((words, named))

    patch.setattr(Work, "audit", put_off)
    patch.setattr(Consumer, "_transact", afterwards)


# Debts


def no_relay(patch: Patch) -> None:
    """What a crash left in the outbox stays there."""

    async def nothing(self: Relay, partitions: Sequence[int], *, older_than_seconds: float) -> None:
        return

    patch.setattr(Relay, "send_unsent", nothing)


def no_relay_at_takeover(patch: Patch) -> None:
    """A new owner begins at once; the sweep sends what the old one owed, behind it."""
    send_unsent = Relay.send_unsent

    async def swept(self: Relay, partitions: Sequence[int], *, older_than_seconds: float) -> None:
        if older_than_seconds:
            await send_unsent(self, partitions, older_than_seconds=older_than_seconds)

    patch.setattr(Relay, "send_unsent", swept)


def newer_before_owed(patch: Patch) -> None:
    """A commit whose answer was lost is left to the sweep; what comes after it leaves before it."""

    async def nothing(self: Consumer[Any]) -> None:
        return

    patch.setattr(Consumer, "_send_owed", nothing)


def no_reconciling(patch: Patch) -> None:
    """What the broker confirmed is safe for ever."""

    async def nothing(self: Relay, js: Any, *, after_seconds: float) -> None:
        return

    patch.setattr(Relay, "reconcile", nothing)


def only_the_end_of_a_stream(patch: Patch) -> None:
    """A broker's loss is looked for in its newest place alone."""
    patch.setattr(relay.outbox, "given_twice", lambda connection, stream, *, newest: [])


def all_commands_at_once(patch: Patch) -> None:
    """A leg's second command is on its way before the first is confirmed."""
    patch.setattr("services.ground.publisher._in_turn", lambda messages, atomic_from=None: list(messages))


def owed_is_forgotten_by_the_second(patch: Patch) -> None:
    """Failures are counted, and not numbered: of two that send what is owed, the second forgets a newer one."""
    owe = Consumer._owe

    def counted(self: Consumer[Any], partitions: Any) -> None:
        before = dict(self._owing)
        owe(self, partitions)
        self._owing.update({p: before.get(p, 0) + 1 for p in partitions})

    patch.setattr(Consumer, "_owe", counted)


# Order and ownership


def no_fence(patch: Patch) -> None:
    """A process that was frozen while it lost its partitions writes on."""
    patch.setattr(leases, "fence", lambda connection, holder, epochs: None)


def order_not_checked(patch: Patch) -> None:
    """Events are taken as the broker delivers them."""

    def as_they_come(
        messages: Sequence[Any], work: Work, *, place: Callable[[Any], Place], pass_over: bool = False, **_: Any
    ) -> list[Any]:
        last = inorder._positions([place(message).key for message in messages], work)
        for at in map(place, messages):
            last[at.key] = max(last.get(at.key, 0), at.sequence)
        rows = [{"consumer": work.service, "key": key, "last": n} for key, n in last.items()]
        upsert(work.connection, tables.positions, rows, update=["last"])
        return [] if pass_over else list(messages)

    patch.setattr(batch, "ready_in_order", as_they_come)


def early_is_dropped(patch: Patch) -> None:
    """What comes before its predecessor is acknowledged and not kept."""
    patch.setattr(inorder, "_keep", lambda messages, work: None)


def refused_holds_up_the_rest(patch: Patch) -> None:
    """The place of what was set aside is never taken, and all behind it wait."""
    ready_in_order = inorder.ready_in_order

    def stuck(messages: Sequence[Any], work: Work, *, pass_over: bool = False, **named: Any) -> list[Any]:
        return [] if pass_over else ready_in_order(messages, work, **named)

    patch.setattr(batch, "ready_in_order", stuck)


def case_kept_in_memory(patch: Patch) -> None:
    """The router loads a case once, and trusts its memory from then on, also of what was rolled back."""
    load_cases, kept = router_handlers.load_cases, {}

    def remembered(person_ids: Sequence[str], work: Work) -> dict[str, Case]:
        process = id(current())
        missing = [person for person in person_ids if (process, person) not in kept]
        kept.update({(process, person): case for person, case in load_cases(missing, work).items()})
        return {person: kept[process, person] for person in person_ids}

    patch.setattr(router_handlers, "load_cases", remembered)


def number_kept_in_memory(patch: Patch) -> None:
    """Intake numbers a person's events from its memory, also those that were rolled back."""
    last_sequences, kept = intake_store.last_sequences, {}

    def remembered(connection: Connection, person_ids: Any) -> dict[str, int]:
        process = id(current())
        found = last_sequences(connection, person_ids)
        for person, last in found.items():
            kept[process, person] = max(last, kept.get((process, person), last - 1) + 1)
        return {person: kept[process, person] for person in found}

    patch.setattr(intake_store, "last_sequences", remembered)


# Bad messages


def bad_input_is_dropped(patch: Patch) -> None:
    """16: term, or ack, of what cannot be read: the evidence is gone."""
    patch.setattr(IntakeHandler, "refuse", lambda self, delivery, why, work, *, key: None)


def poison_sinks_its_neighbours(patch: Patch) -> None:
    """One bad message, and its whole batch is set aside."""
    read_all = batch.read_all

    def all_or_none(handler: Any, deliveries: Sequence[Delivery]) -> list[Incoming[Any] | Bad]:
        read = read_all(handler, deliveries)
        if any(isinstance(message, Bad) for message in read):
            return [Bad(message.delivery, Unacceptable("unreadable")) for message in read]
        return read

    patch.setattr(consumer, "read_all", all_or_none)


def an_outage_is_an_attempt(patch: Patch) -> None:
    """A store that is away counts against the message that met it."""
    patch.setattr(batch, "_is_about_data", lambda error: True)


def set_aside_in_silence(patch: Patch) -> None:
    """Quarantined, and its source is not told."""
    patch.setattr(IntakeHandler, "_tell", lambda self, *words, **named: None)


# Redelivery and time


def kept_alive_for_ever(patch: Patch) -> None:
    """A message whose acknowledgement was lost is kept alive, and so never delivered again."""

    async def ack(self: Microbatch, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            await self._connection.publish(delivery.ack_subject, b"+ACK")

    patch.setattr(Microbatch, "ack", ack)
    patch.setattr(Microbatch, "leave", lambda self, deliveries: None)


def held_after_it_was_let_go(patch: Patch) -> None:
    """What is buffered of a feed that is let go is neither handed back nor forgotten: it is kept alive for ever."""

    async def close(self: Microbatch, partition: int) -> None:
        pull = self._pulls.pop(partition, None)
        if pull is not None and pull.subscription is not None:
            await pull.subscription.unsubscribe()
            self._ready = deque(item for item in self._ready if item[0] is not pull)

    patch.setattr(Microbatch, "close", close)


def never_asks_again(patch: Patch) -> None:
    """A pull that was lost with its connection is waited for, for ever."""
    patch.setattr(Microbatch, "reconnected", lambda self: None)

    async def patient(self: Microbatch) -> None:
        return

    patch.setattr(Microbatch, "_ask_again", patient)


def wall_time(patch: Patch) -> None:
    """21: the moment is the machine's, and not the clock's that was passed in."""
    begin = Work.__init__

    def now(self: Work, connection: Connection, *, service: str, now: Any) -> None:
        begin(self, connection, service=service, now=WallClock().now())

    patch.setattr(Work, "__init__", now)


MUTANTS: Final[dict[str, Callable[[Patch], None]]] = {
    plant.__name__: plant
    for plant in (
        ack_before_commit,
        ack_of_what_failed,
        publish_before_commit,
        no_outbox,
        sent_before_confirmed,
        fresh_id_per_retry,
        timeout_is_failure,
        no_inbox,
        inbox_by_delivery,
        inbox_in_its_own_transaction,
        repeat_at_intake_is_new,
        refused_passes_for_repeat,
        conflict_is_a_repeat,
        audit_after_commit,
        no_relay,
        no_relay_at_takeover,
        newer_before_owed,
        no_reconciling,
        only_the_end_of_a_stream,
        all_commands_at_once,
        owed_is_forgotten_by_the_second,
        no_fence,
        order_not_checked,
        early_is_dropped,
        refused_holds_up_the_rest,
        case_kept_in_memory,
        number_kept_in_memory,
        bad_input_is_dropped,
        poison_sinks_its_neighbours,
        an_outage_is_an_attempt,
        set_aside_in_silence,
        kept_alive_for_ever,
        held_after_it_was_let_go,
        never_asks_again,
        wall_time,
    )
}

# Of mistakes that show only where several things go wrong within a second: what goes wrong often in their worlds.
NEEDS: Final[dict[str, tuple[Fault, ...]]] = {
    "timeout_is_failure": (Fault.LOST, Fault.REJECTED, Fault.COMMIT_UNSEEN),
    "newer_before_owed": (Fault.COMMIT_UNSEEN, Fault.REFUSED),
    "all_commands_at_once": (Fault.REJECTED, Fault.LOST),
    "owed_is_forgotten_by_the_second": (Fault.COMMIT_UNSEEN, Fault.LOST, Fault.REFUSED),
    "no_fence": (Fault.PAUSE, Fault.CLOCK, Fault.STORE_SLOW),
    "number_kept_in_memory": (Fault.COMMIT_REFUSED, Fault.CRASH_BEFORE_COMMIT),
    "an_outage_is_an_attempt": (Fault.STORE_SICK, Fault.STATEMENT),
    "case_kept_in_memory": (Fault.COMMIT_REFUSED, Fault.STATEMENT),
    "refused_passes_for_repeat": (Fault.TRIPPED,),
    "refused_holds_up_the_rest": (Fault.TRIPPED,),
    "no_reconciling": (Fault.BROKER_WIPED, Fault.BROKER_CUT),
    "held_after_it_was_let_go": (Fault.PAUSE, Fault.STORE_SLOW, Fault.CLOCK),
    "only_the_end_of_a_stream": (Fault.BROKER_CUT,),
}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """With this mistake in the code, or none."""
    with pytest.MonkeyPatch.context() as patch:
        if name is not None:
            MUTANTS[name](patch)
        yield


