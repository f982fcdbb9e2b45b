"""Wires dispatch."""

from __future__ import annotations

from services.dispatch.handlers import DispatchHandler
from services.ground.service import Service
from services.ground.world import World


async def dispatch(world: World) -> Service:
    """The service that hands route commands to their destinations."""
    return Service(DispatchHandler(world.settings), world)
