"""Plays the story through a running system: each event is published as its source would, and what follows settles."""

from __future__ import annotations

import json
from datetime import datetime

from nats.aio.client import Client
from sqlalchemy import func, select, text

from services.cli.story import BEGINNING, Event, Expected, Scene, Step
from services.ground import streams
from services.ground.clock import SetClock
from services.ground.settle import settle
from services.ground.world import World
from services.router import store
from services.router.in_force import rules_of

SETTLE_SECONDS = 60.0

_LEGS = text("SELECT destination, id FROM legs ORDER BY id")
_REVIEWS = text("SELECT kind, id, role FROM reviews WHERE answered_at IS NULL ORDER BY id")


async def begin(step: Step, world: World, connection: Client, clock: SetClock) -> None:
    """Let time pass up to a step, from one timer that falls due to the next, as it would."""
    until = BEGINNING + step.after
    await settle(world, connection, seconds=SETTLE_SECONDS)
    while (due := await _next_due(world)) is not None and due <= until:
        clock.set(due)
        await settle(world, connection, seconds=SETTLE_SECONDS)
    clock.set(until)


async def _next_due(world: World) -> datetime | None:
    timer = store.timers.c
    waiting = select(func.min(timer.due_at)).where(timer.fired_at.is_(None), timer.cancelled_at.is_(None))
    return await world.database.read(lambda c: c.execute(waiting).scalar())


async def happen(step: Step, world: World, connection: Client) -> list[Event]:
    """Publish a step's events, one after the other, and let them settle. Returns them."""
    told: list[Event] = []
    for channel, making in step.events:
        event = making(await scene(world))
        subject = f"intake.{event['source']}.{channel}"
        await connection.jetstream().publish(subject, json.dumps(event).encode(), stream=streams.INTAKE)
        await settle(world, connection, seconds=SETTLE_SECONDS)
        told.append(event)
    return told


async def scene(world: World) -> Scene:
    """Where the story stands, by the store."""
    legs = await world.database.read(lambda c: c.execute(_LEGS).all())
    reviews = await world.database.read(lambda c: c.execute(_REVIEWS).all())
    sources = {name: d.source for name, d in (await world.database.read(rules_of)).destinations.items()}
    return Scene(
        world.clock.now(),
        {str(destination): str(id_) for destination, id_ in legs},
        sources,
        {kind: (id_, role) for kind, id_, role in reviews},
    )


async def counted(expected: Expected, world: World) -> tuple[bool, int]:
    """Whether it is so, and what was counted."""
    count = int(await world.database.read(lambda c: c.execute(text(expected.query)).scalar_one()))
    return (count == expected.exactly if expected.exactly is not None else count > 0), count
