"""The time of simulated processes: virtual, and wrong by as much as the seed says. Ids follow from it and the seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import pytest

from services.ground import ids, keys, sealing
from tests.sim.loop import Process, VirtualLoop, current

BEGIN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday


class SimClock:
    """One process's clock."""

    def __init__(self, loop: VirtualLoop, process: Process) -> None:
        self._loop, self._process = loop, process

    def now(self) -> datetime:
        """Virtual time, and what this process's clock is wrong by."""
        return moment(self._loop) + timedelta(seconds=self._process.skew)


def moment(loop: VirtualLoop) -> datetime:
    """What a clock shows that is right: days that leap by are in it, and cost the simulation nothing."""
    return BEGIN + timedelta(seconds=loop.time() + loop.leapt)


class _Ticks:
    """As those of `services.ground.ids`, of the simulated process in place of this real one."""

    def next(self, milliseconds: int, count: int) -> range:
        """The next ticks of the process whose step this is."""
        process = current()
        first = max(milliseconds << 12, process.last_tick + 1)
        process.last_tick = first + count - 1
        return range(first, first + count)

    def forget(self) -> None:
        """Nothing is shared with a child."""


class _Chance:
    """Stands for the module `os`: its randomness is the seed's."""

    def __init__(self, chance: Random) -> None:
        self.urandom = chance.randbytes


@contextmanager
def seeded_ids(chance: Random) -> Iterator[None]:
    """New ids, keys and nonces follow from the seed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "_ticks", _Ticks())
        for module in (ids, keys, sealing):
            patch.setattr(module, "os", _Chance(chance))
        patch.setattr(sealing, "_nonces", [])
        yield
