"""Wires audit."""

from __future__ import annotations

from services.audit.appending import Appender
from services.audit.giving_out import LogQueue
from services.audit.publishing import LogFiles
from services.audit.signing import Signer
from services.ground.handler import Duty, OfItself
from services.ground.service import Service
from services.ground.world import World


async def audit(world: World) -> Service:
    """The service that keeps the log, gives it out on the queue, signs it as it grows, and publishes it."""
    settings, signer, files = world.settings, Signer(world), LogFiles(world)
    duties = [
        Duty("append_entries", settings.append_seconds, Appender(world).act),
        Duty("give_out_log", settings.append_seconds, LogQueue(world).act),
        Duty("sign_log", settings.checkpoint_seconds, lambda hands: signer.act(hands.write)),
        Duty("publish_log", settings.checkpoint_seconds, lambda hands: files.act(hands.write)),
    ]
    return Service(OfItself("audit"), world, duties=duties)
