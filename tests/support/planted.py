"""A service with a planted mistake: `python -m tests.support.planted ack_before_commit intake`.

Each plant does what a tired developer might, and dies at the worst moment for it, so that the checks must see the loss.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from services.cli.main import app
from services.ground.consumer import Consumer
from services.ground.microbatch import Delivery

AFTER_BATCHES = 2


def ack_before_commit() -> None:
    """Acknowledge first, then begin the transaction, and die in between."""
    transact = Consumer._transact
    batches = 0

    async def hasty(self: Consumer[Any], batch: Sequence[Delivery], act: Callable[..., Any]) -> Any:
        nonlocal batches
        batches += 1
        if batches == AFTER_BATCHES:
            await self._subscription.ack(batch)
            await self._connection.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return await transact(self, batch, act)

    Consumer._transact = hasty  # type: ignore[method-assign]


def publish_without_an_outbox() -> None:
    """Forget what is to be sent as soon as it is committed, and die before it is sent."""
    send = Consumer._send_then_ack
    batches = 0

    async def forgetful(self: Consumer[Any], outgoing: Sequence[Any], done: Sequence[Delivery]) -> None:
        nonlocal batches
        batches += 1
        if batches == AFTER_BATCHES:
            ids = [message.id for message in outgoing]
            await self._database.write(lambda c: _forget(c, ids))
            os.kill(os.getpid(), signal.SIGKILL)
        await send(self, outgoing, done)

    Consumer._send_then_ack = forgetful  # type: ignore[method-assign]


def _forget(connection: Any, ids: list[str]) -> None:
    from services.ground.tables import outbox

    connection.execute(outbox.delete().where(outbox.c.id.in_(ids)))


PLANTS = {plant.__name__: plant for plant in (ack_before_commit, publish_without_an_outbox)}

if __name__ == "__main__":
    PLANTS[sys.argv[1]]()
    app(["run", sys.argv[2]])
