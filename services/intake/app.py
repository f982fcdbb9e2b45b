"""Wires intake."""

from __future__ import annotations

from services.ground.handler import Duty
from services.ground.service import Service
from services.ground.world import World
from services.intake.erasing import Finishing
from services.intake.handlers import IntakeHandler
from services.intake.retention import retention


async def intake(world: World) -> Service:
    """The service that takes what sources publish, ends what was erased, and lets go of what is old."""
    finishing = Finishing(world.database)
    duties = [Duty("finish_erasures", world.settings.sweep_seconds, lambda hands: finishing.act(hands.write))]
    return Service(IntakeHandler(world.settings), world, chores=[retention(world.settings)], duties=duties)
