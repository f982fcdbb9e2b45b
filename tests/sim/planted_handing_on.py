"""Mistakes in how services of one process hand on to each other within a transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import pytest

from services.ground import consumer, handing_on
from services.ground.handing_on import Reader
from services.ground.publisher import Outgoing
from services.ground.work import Work

Patch = pytest.MonkeyPatch


def handed_on_to_one_who_lost_it(patch: Patch) -> None:
    """What a reader held before the transaction is taken for what it holds."""
    hand_on = handing_on.hand_on

    def trusting(work: Work, readers: Sequence[Reader], held: Mapping[tuple[str, int], int]) -> Counter[str]:
        return hand_on(work, readers, {(r.handler.service, p): epoch for r in readers for p, epoch in r.epochs.items()})

    patch.setattr(consumer, "hand_on", trusting)


def half_taken_is_kept(patch: Patch) -> None:
    """What a reader tripped over passes for taken, with what it had written by then."""
    take: Callable[[Any, Collection[Outgoing], Work], None] = handing_on._take

    def forgiving(handler: Any, messages: Collection[Outgoing], work: Work) -> None:
        with suppress(RuntimeError):
            take(handler, messages, work)

    patch.setattr(handing_on, "_take", forgiving)


def what_is_handed_on_leaves_nothing(patch: Patch) -> None:
    """The reader's own messages are forgotten."""
    hand_on = Work.hand_on

    def forgetful(self: Work, messages: Sequence[Outgoing], follower: Work) -> None:
        hand_on(self, messages, Work(self.connection, service=follower.service, now=self.now))

    patch.setattr(Work, "hand_on", forgetful)


PLANTS: Final = (handed_on_to_one_who_lost_it, half_taken_is_kept, what_is_handed_on_leaves_nothing)
