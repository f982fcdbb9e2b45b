"""Mistakes in what a service takes: repeats, order, ownership, bad messages, redelivery."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
from sqlalchemy import Connection

from schemas.refusal import Unacceptable
from services.ground import batch, consumer, inorder, leases, tables
from services.ground.batch import Bad
from services.ground.clock import WallClock
from services.ground.consumer import Consumer
from services.ground.handler import Incoming
from services.ground.inorder import Place
from services.ground.microbatch import Delivery, Microbatch
from services.ground.sql import upsert
from services.ground.work import Key, Work
from services.intake import store as intake_store
from services.intake.handlers import IntakeHandler
from services.router import handlers as router_handlers
from services.router.casework.case import Case
from services.router.load import load_cases
from tests.sim.loop import current

Patch = pytest.MonkeyPatch


def no_inbox(patch: Patch) -> None:
    """Keys are noted and never asked for; the broker's own window is enough against repeats."""
    first_time = Work.first_time

    def all_are_new(self: Work, keys: Sequence[Key]) -> set[Key]:
        first_time(self, keys)
        return set(keys)

    patch.setattr(Work, "first_time", all_are_new)


def inbox_by_delivery(patch: Patch) -> None:
    """What counts is the message's place in the stream, and not the event's (source, id)."""
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
    """The key is kept in one transaction and the effect in the next."""
    first_time, write = Work.first_time, Consumer._transact

    async def two(self: Consumer[Any], messages: Sequence[Delivery], act: Callable[[Work], Any]) -> Any:
        keys = [m.key for m in batch.read_all(self._handler, messages) if isinstance(m, Incoming) and m.key]
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
    kept: dict[tuple[int, str], Case] = {}

    def remembered(person_ids: Sequence[str], work: Work) -> dict[str, Case]:
        process = id(current())
        missing = [person for person in person_ids if (process, person) not in kept]
        kept.update({(process, person): case for person, case in load_cases(missing, work).items()})
        return {person: kept[process, person] for person in person_ids}

    patch.setattr(router_handlers, "load_cases", remembered)


def number_kept_in_memory(patch: Patch) -> None:
    """Intake numbers a person's events from its memory, also those that were rolled back."""
    known_persons = intake_store.known_persons
    kept: dict[tuple[int, str], int] = {}

    def remembered(connection: Connection, person_ids: Any) -> tuple[dict[str, int], dict[str, str]]:
        process = id(current())
        found, merged_into = known_persons(connection, person_ids)
        for person, last in found.items():
            kept[process, person] = max(last, kept.get((process, person), last - 1) + 1)
        return {person: kept[process, person] for person in found}, merged_into

    patch.setattr(intake_store, "known_persons", remembered)


def bad_input_is_dropped(patch: Patch) -> None:
    """Term, or ack, of what cannot be read: the evidence is gone."""
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
    """The moment is the machine's, and not the clock's that was passed in."""
    begin = Work.__init__

    def now(self: Work, connection: Connection, *, service: str, now: Any) -> None:
        begin(self, connection, service=service, now=WallClock().now())

    patch.setattr(Work, "__init__", now)


PLANTS: Final = (
    no_inbox,
    inbox_by_delivery,
    inbox_in_its_own_transaction,
    repeat_at_intake_is_new,
    refused_passes_for_repeat,
    conflict_is_a_repeat,
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
