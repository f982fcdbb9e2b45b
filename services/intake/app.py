"""Wires intake."""

from __future__ import annotations

from services.ground.service import Service
from services.ground.world import World
from services.intake.handlers import IntakeHandler


async def intake(world: World) -> Service:
    """The service that takes what sources publish."""
    return Service(IntakeHandler(world.settings), world)
