"""Has witnesses sign what the log signed, before it is published: who sees it published sees who watches it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

import httpx

from schemas.log.merkle import consistency_proof
from services.audit import store, tree
from services.audit.alarm import Alarm
from services.audit.witnessing import Asked, ask_witnesses
from services.ground.handler import Write
from services.ground.world import World

WAIT_SECONDS: Final = 2.0  # for all of them together; by then a checkpoint is published with those that it has
AGAIN_SECONDS: Final = 10.0  # until one that did not sign is asked again, where there is nothing new to sign
AWAY_TIMES: Final = 3  # in a row: then people are told


class Cosigners:
    """The witnesses that this log asks."""

    def __init__(self, world: World) -> None:
        """Raises SettingsRefused for a witness that is not one."""
        self._database = world.database
        self._asked = [Asked.parse(text) for text in world.settings.witnesses]
        self._alarms = {witness.key.name: Alarm(f"witness {witness.key.name}") for witness in self._asked}
        self._last: dict[str, int] = {}  # the size that each signed last, as far as we know
        self._away: Counter[str] = Counter()  # times in a row
        self._tried: dict[str, tuple[int, float]] = {}  # the size for which each was asked last, and when
        self._trusted = httpx.create_ssl_context() if self._asked else False

    async def cosign(self, size: int, note: bytes, write: Write) -> None:
        """Ask whoever has not signed this checkpoint, and keep what they say. Raises nothing that a witness does."""
        signed = await self._database.read(lambda c: store.cosignatures(c, size)) if self._asked else {}
        missing = [each for each in self._asked if each.key.name not in signed and self._is_due(each, size)]
        if not missing:
            return

        async def prove(old: int) -> Sequence[bytes]:
            return await self._database.read(lambda c: consistency_proof(old, size, tree.reader(c, size)))

        async with httpx.AsyncClient(verify=self._trusted, timeout=WAIT_SECONDS) as client:
            answers = await ask_witnesses(client, missing, note, prove=prove, last=self._last, seconds=WAIT_SECONDS)
        if answers.lines:
            await write(lambda work: store.keep_cosignatures(work.connection, size, answers.lines, work.now))
        for name in answers.lines:
            self._last[name], self._away[name] = size, 0
            await self._alarms[name].end(write)
        for name, why in answers.refused.items():
            self._last.pop(name, None)
            await self._alarms[name].raise_(f"it does not sign this log: it {why}. Compare what it has seen", write)
        for name, why in answers.away.items():
            self._away[name] += 1
            if self._away[name] == AWAY_TIMES:
                await self._alarms[name].raise_(f"it does not answer: {why}", write)

    def _is_due(self, witness: Asked, size: int) -> bool:
        """Whether it is to be asked now; notes that it is."""
        now = asyncio.get_running_loop().time()
        tried, at = self._tried.get(witness.key.name, (-1, 0.0))
        if tried == size and now - at < AGAIN_SECONDS:
            return False
        self._tried[witness.key.name] = (size, now)
        return True
