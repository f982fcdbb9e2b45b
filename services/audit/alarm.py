"""What goes wrong with a duty of the log is told in the store, where `onward status` finds it, until it goes well."""

from __future__ import annotations

from collections.abc import Awaitable

from services.audit import store
from services.ground.errors import OnwardError
from services.ground.handler import Write


class Alarm:
    """One duty's."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._raised = True  # perhaps, by the process before this one

    async def around(self, act: Awaitable[None], write: Write) -> None:
        """Wait for what is done. Raises what it raises, and tells of it where it is an OnwardError."""
        try:
            await act
        except OnwardError as error:
            await self.raise_(str(error), write)
            raise
        await self.end(write)

    async def raise_(self, why: str, write: Write) -> None:
        """Tell what is wrong."""
        self._raised = True
        await write(lambda work: store.raise_alarm(work.connection, self._name, why, work.now))

    async def end(self, write: Write) -> None:
        """It is well again; writes nothing where it was well before."""
        if self._raised:
            await write(lambda work: store.end_alarm(work.connection, self._name))
            self._raised = False
