"""Wires audit."""

from __future__ import annotations

from services.audit.handlers import AuditHandler
from services.ground.service import Service
from services.ground.world import World


async def audit(world: World) -> Service:
    """The service that keeps the log."""
    return Service(AuditHandler(), world)
