"""What the services of one process share when they stand on one store with one writer: each other.

A service takes at once, in the same transaction, what another one of this process hands on to it: no way over the
broker and back, no second commit (docs/decisions/0009). And they send one after the other, in the order of their
commits, so that no command of a leg overtakes another one that left by another service's hand.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

from services.ground import streams
from services.ground.handing_on import Reader
from services.ground.handler import Handler

WAY: Final = tuple(streams.TAKES)  # from service to service in the order of a message's way; audit takes no messages

Owner: TypeAlias = tuple[str, int]  # a service and a partition of it


class Member(Protocol):
    """A service's consumer, as the others of its process see it."""

    @property
    def handler(self) -> Handler[Any]:
        """What it does with what it is given."""
        ...

    @property
    def epochs(self) -> Mapping[int, int]:
        """The partitions that it holds now, each with its epoch."""
        ...

    @property
    def in_hand(self) -> Collection[asyncio.Task[None]]:
        """What it has committed and not yet sent."""
        ...

    def note_taken(self, messages: int) -> None:
        """So many were handed on to it and taken."""
        ...

    async def send_unsent(self, partitions: Sequence[int]) -> None:
        """Send what these partitions owe."""
        ...


class Together:
    """The services of this process that share a store with one writer; or one alone."""

    def __init__(self) -> None:
        self._members: list[Member] = []
        # Whoever commits asks for it before anything else is awaited, and it lets in by the order of asking.
        self.sending = asyncio.Lock()
        self._owing: Counter[Owner] = Counter()  # failures after which a partition's commits may not all have been sent

    def join(self, member: Member) -> None:
        """From now on it is handed what is for it."""
        self._members.append(member)

    def leave(self, member: Member) -> None:
        """It takes nothing more; harmless where it is gone already."""
        self._members = [other for other in self._members if other is not member]

    def readers_after(self, service: str) -> list[Reader]:
        """Those who may take what this service hands on, and what they hand on in turn, in the order of the way."""
        if service not in WAY:
            return []
        after = WAY[WAY.index(service) + 1 :]
        return [
            Reader(member.handler, streams.TAKES[name], dict(member.epochs))
            for name in after
            for member in self._members
            if member.handler.service == name and member.epochs
        ]

    def note_taken(self, taken: Mapping[str, int]) -> None:
        """So many were handed on to services of ours and taken."""
        for member in self._members:
            if number := taken.get(member.handler.service):
                member.note_taken(number)

    def in_hand(self) -> set[asyncio.Task[None]]:
        """What any of us has committed and not yet sent."""
        return {task for member in self._members for task in member.in_hand}

    def owe(self, owners: Iterable[Owner]) -> None:
        """Not all of what these committed may have been sent."""
        self._owing.update(owners)

    async def send_owed(self) -> None:
        """What is committed and perhaps not sent goes before anything newer, which would overtake it otherwise."""
        owing = dict(self._owing)
        for member in list(self._members) if owing else ():
            ours = sorted(p for service, p in owing if service == member.handler.service and p in member.epochs)
            await member.send_unsent(ours)
        for owner, failures in owing.items():
            if self._owing[owner] == failures:  # none more meanwhile
                del self._owing[owner]
