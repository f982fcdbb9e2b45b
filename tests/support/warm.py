"""Processes of `onward`, forked from one that has loaded everything already.

To load it anew for each of hundreds of commands, and each time that a service was killed, took most of the time of the
tests that do so. Each is a process of its own with its own arguments, environment, standard streams and end; imports
alone are shared. What a command loads when it starts afresh is tests/unit/cli/test_later.py's, and tests/e2e/ starts
some of each kind afresh.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import IO, Any

from services.ground.nats_server import _die_with_parent
from services.ground.settings import REPOSITORY

COMMAND_LINE = "services.cli.main"
COLUMNS = "200"  # of the terminal, which is looked at when modules load: wide enough for whole ids
LONGEST_REQUEST = 100_000  # bytes
NOT_LOADED = ("services.migrations.env", "services.migrations.versions")  # Alembic runs them, nobody imports them
LOOK_AGAIN_SECONDS = 0.01


class Warm:
    """The process that others are forked from."""

    def __init__(self) -> None:
        """Start it."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            cwd=REPOSITORY,
            env={**os.environ, "COLUMNS": COLUMNS},
            pass_fds=[theirs.fileno()],
            preexec_fn=_die_with_parent,
        )
        theirs.close()
        self._asking = threading.Lock()

    def start(
        self, module: str, words: Sequence[str], *, environment: Mapping[str, str], streams: Sequence[IO[bytes]]
    ) -> Forked:
        """Run a module as `python -m` does; `words[0]` is what it is called by. `streams`: input, output, errors."""
        asked = {"module": module, "words": [*words], "environment": dict(environment)}
        with self._asking:
            socket.send_fds(self._control, [json.dumps(asked).encode()], [stream.fileno() for stream in streams])
            return Forked(self, int(self._answer()), words)

    def run(
        self, words: Sequence[str], *, given: bytes, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command of `onward` to its end. Raises TimeoutExpired."""
        with tempfile.TemporaryFile() as into, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            into.write(given)
            into.seek(0)
            process = self.start(COMMAND_LINE, words, environment=environment, streams=(into, out, err))
            code = process.wait(timeout)
            for said in (out, err):
                said.seek(0)
            return subprocess.CompletedProcess(list(words), code, out.read(), err.read())

    def code_of(self, pid: int) -> int | None:
        """With what a process that was forked here ended, told once; None while it runs."""
        with self._asking:
            self._control.send(json.dumps({"ended": pid}).encode())
            code: int | None = json.loads(self._answer())
        return code

    def close(self) -> None:
        """End it, and with it every process that was forked from it."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _answer(self) -> bytes:
        answer = self._control.recv(LONGEST_REQUEST)
        if not answer:
            raise RuntimeError("the process that others are forked from has ended")
        return answer


class Forked:
    """One of them, to be handled as a `Popen`."""

    def __init__(self, warm: Warm, pid: int, words: Sequence[str]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._warm, self._words = warm, words

    def poll(self) -> int | None:
        """With what it ended; None while it runs."""
        if self.returncode is None:
            self.returncode = self._warm.code_of(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The same, at its end. Raises TimeoutExpired, after killing it."""
        until = time.monotonic() + timeout if timeout is not None else None
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                self.kill()
                raise subprocess.TimeoutExpired(list(self._words), timeout or 0.0)
            time.sleep(LOOK_AGAIN_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """At once: it tidies nothing up."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


@cache
def forked() -> Warm:
    """The one that this process's others are forked from."""
    warm = Warm()
    atexit.register(warm.close)
    return warm


def _load_everything() -> None:
    """Every module of ours, and so what they stand on."""
    for root in ("schemas", "services"):
        for module in pkgutil.walk_packages(import_module(root).__path__, f"{root}."):
            if not module.name.startswith(NOT_LOADED):
                import_module(module.name)


def _child_of(control: socket.socket) -> dict[str, Any] | None:
    """In each child, what it is to do; in the parent, when nobody asks any more, nothing."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, LONGEST_REQUEST, 3)
        if not request:
            return None
        asked: dict[str, Any] = json.loads(request)
        if "ended" in asked:
            pid, status = os.waitpid(asked["ended"], os.WNOHANG)
            control.send(json.dumps(os.waitstatus_to_exitcode(status) if pid else None).encode())
            continue
        child = os.fork()
        if child == 0:
            _die_with_parent()
            control.close()
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
                os.close(descriptor)
            os.environ.clear()
            os.environ.update(asked["environment"])
            return asked
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(child).encode())


def _end(code: int) -> None:
    """End as the interpreter does, but for taking down all that was loaded, which is shared: that took half the time.

    Returns where there is no one to hear what was said last, which the interpreter has a code of its own for.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return
    os._exit(code)


if __name__ == "__main__":
    _load_everything()
    gc.freeze()  # what is shared stays so
    doing = _child_of(socket.socket(fileno=int(sys.argv[1])))
    if doing is not None:
        sys.argv = doing["words"]
        sys.modules.pop(doing["module"], None)  # it runs, and is not the one that was loaded
        try:
            runpy.run_module(doing["module"], run_name="__main__")
        except SystemExit as ended:
            if isinstance(ended.code, int | None):
                _end(ended.code or 0)
            raise
        _end(0)
