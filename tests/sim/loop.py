"""An event loop whose time is virtual and whose processes can die or freeze between any two steps.

What runs next is the seed's choice among the simulated processes; inside one the order is first come, first served, as
asyncio promises its users. When nobody has anything to do, time jumps to the next timer.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio.events import _set_running_loop
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MOST_STEPS = 400_000  # of one run; a world that needs more turns in a circle


class Process:
    """What lives, freezes and dies together: a service, the broker, or the world outside."""

    __slots__ = ("context", "dead", "dies_at", "frozen", "last_tick", "name", "on_death", "ready", "skew", "steps")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: deque[Step] = deque()
        self.frozen = False
        self.dead = False
        self.steps = 0
        self.dies_at: int | None = None  # the step before which it dies
        self.skew = 0.0  # seconds by which its clock is wrong
        self.last_tick = 0  # of its ids
        self.on_death: Callable[[], None] | None = None
        self.context = copy_context()
        self.context.run(_current.set, self)


_current: ContextVar[Process] = ContextVar("simulated_process")


def current() -> Process:
    """The process whose step this is."""
    return _current.get()


class Step:
    """A callback that is to run, and its process: what asyncio's handles are, made in half their time."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "process")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self.callback, self.args, self.context = callback, args, context
        self.process: Process = context[_current]
        self.is_cancelled = False

    def cancel(self) -> None:
        """It is passed over when its time comes."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Whether it was."""
        return self.is_cancelled


class TooManySteps(Exception):
    """The world does not come to rest."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs all simulated processes in one thread."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self._chance = chance
        self._moment = 0.0
        self.leapt = 0.0  # seconds by which every clock went on while nobody did anything
        self._timers: list[tuple[float, int, Step]] = []
        self._number = 0
        self._runnable: list[Process] = []
        self._over = False
        self.steps = 0
        self.errors: list[str] = []

    def time(self) -> float:
        """Simulated seconds since the beginning."""
        return self._moment

    def call_soon(  # type: ignore[override]
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Step:
        """As asyncio's, in the process of the context."""
        step = Step(callback, args, copy_context() if context is None else context)
        self._make_ready(step)
        return step

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Step:
        """There is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Step:
        """As asyncio's."""
        step = Step(callback, args, copy_context() if context is None else context)
        self._number += 1
        heapq.heappush(self._timers, (when, self._number, step))
        return step

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Step:
        """As asyncio's."""
        return self.call_at(self._moment + delay, callback, *args, context=context)

    def get_debug(self) -> bool:
        """Never: asyncio's own looking costs more than the steps."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An error that nobody caught is a finding; tasks of the dead are none."""
        error = context.get("exception")
        if error is not None and not self._over:
            self.errors.append(f"nobody caught {error!r}: {context.get('message')}")

    def spawn(self, process: Process, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task in a process."""
        return self.create_task(coroutine, context=process.context.copy())

    def freeze(self, process: Process) -> None:
        """Stop a process between two steps; what happens to it meanwhile waits for it."""
        process.frozen = True
        if process in self._runnable:
            self._runnable.remove(process)

    def thaw(self, process: Process) -> None:
        """Let it go on, as if no time had passed."""
        if process.frozen and not process.dead:
            process.frozen = False
            if process.ready:
                self._runnable.append(process)

    def kill(self, process: Process) -> None:
        """Its code never runs again, not even to tidy up."""
        if process.dead:
            return
        process.dead = True
        process.ready.clear()
        if process in self._runnable:
            self._runnable.remove(process)
        if process.on_death is not None:
            process.on_death()

    def run(self, main: asyncio.Task[T]) -> T:
        """Let the world go on until this is done."""
        _set_running_loop(self)
        try:
            self._go_on_until(main)
        finally:
            _set_running_loop(None)
        return main.result()

    def end(self) -> None:
        """Nothing runs any more, whatever is collected later."""
        self._over = True
        self._timers.clear()
        self._runnable.clear()
        self.close()

    def _check_closed(self) -> None:
        """What the dead leave behind may still call us; it is not heard."""

    def _go_on_until(self, main: asyncio.Task[T]) -> None:
        """Step by step, in one place: a world has thousands, and a call for each took a twentieth of its time."""
        runnable, random = self._runnable, self._chance.random
        while not main.done():
            if not runnable:
                self._pass_time()
                continue
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise TooManySteps
            at = int(random() * len(runnable)) if len(runnable) > 1 else 0
            process = runnable[at]
            ready = process.ready
            step = ready.popleft()
            if not ready:
                del runnable[at]
            if step.is_cancelled:
                continue
            process.steps += 1
            if process.steps == process.dies_at:
                self.kill(process)
                continue
            try:
                step.context.run(step.callback, *step.args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as asyncio does: it is told of, and all goes on
                self.call_exception_handler({"message": f"in {step.callback!r}", "exception": error})

    def _pass_time(self) -> None:
        """Go to the next timer; all that are due then become ready, in the order of their times."""
        timers = self._timers
        moved = False
        while timers and (not moved or timers[0][0] <= self._moment):
            when, _, step = heapq.heappop(timers)
            process = step.process
            if step.is_cancelled or process.dead:
                continue
            self._moment = max(self._moment, when)
            self._make_ready(step)
            moved = moved or not process.frozen
        if not moved:
            raise RuntimeError("nothing will ever happen again")

    def _make_ready(self, step: Step) -> None:
        process = step.process
        if process.dead or self._over:
            return
        process.ready.append(step)
        if not process.frozen and len(process.ready) == 1:
            self._runnable.append(process)
