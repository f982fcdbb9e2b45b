"""Wires audit."""

from __future__ import annotations

from services.audit.handlers import AuditHandler
from services.audit.publishing import LogFiles
from services.audit.signing import Signer
from services.ground.handler import Duty
from services.ground.service import Service
from services.ground.world import World


async def audit(world: World) -> Service:
    """The service that keeps the log, signs it as it grows, and publishes it."""
    often = world.settings.checkpoint_seconds
    duties = [Duty("sign_log", often, Signer(world).act), Duty("publish_log", often, LogFiles(world).act)]
    return Service(AuditHandler(), world, duties=duties)
