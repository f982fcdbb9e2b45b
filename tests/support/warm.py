"""Commands of `onward` as processes of their own, forked from one that has loaded everything already.

To load it anew for each of hundreds of commands took most of the time of the tests that type them. Each has its own
arguments, environment, standard streams and exit code, begins where the console script begins, and ends as it ends;
imports alone are shared. What a command loads when it starts afresh is tests/unit/cli/test_later.py's.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from services.ground.settings import REPOSITORY

COLUMNS = "200"  # of the terminal, which is looked at when modules load: wide enough for whole ids
LONGEST_REQUEST = 100_000  # bytes
NOT_LOADED = ("services.migrations.env", "services.migrations.versions")  # Alembic runs them, nobody imports them


class Warm:
    """The process that commands are forked from."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start it with what must be known when modules load."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = [sys.executable, "-m", "tests.support.warm", str(theirs.fileno())]
        self._process = subprocess.Popen(
            words, cwd=REPOSITORY, env=dict(environment), pass_fds=[theirs.fileno()], process_group=0
        )
        theirs.close()

    def run(
        self, words: list[str], *, given: bytes, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, `words[0]` being what it was called by. Raises TimeoutExpired."""
        with tempfile.TemporaryFile() as into, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            into.write(given)
            into.seek(0)
            request = json.dumps({"words": words, "environment": dict(environment)}).encode()
            socket.send_fds(self._control, [request], [into.fileno(), out.fileno(), err.fileno()])
            self._control.settimeout(timeout)
            try:
                code = self._control.recv(LONGEST_REQUEST)
            except TimeoutError:
                self.close()
                raise subprocess.TimeoutExpired(words, timeout) from None
            if not code:
                raise RuntimeError("the process that commands are forked from has ended")
            for said in (out, err):
                said.seek(0)
            return subprocess.CompletedProcess(words, int(code), out.read(), err.read())

    def close(self) -> None:
        """End it, and a command that runs still."""
        self._control.close()
        os.killpg(self._process.pid, 9)
        self._process.wait()


@cache
def forked() -> Warm:
    """The one of this process."""
    process = Warm({**os.environ, "COLUMNS": COLUMNS})
    atexit.register(process.close)
    return process


def _load_everything() -> None:
    """Every module of ours, and so what they stand on."""
    for root in ("schemas", "services"):
        package = import_module(root)
        for module in pkgutil.walk_packages(package.__path__, f"{root}."):
            if not module.name.startswith(NOT_LOADED):
                import_module(module.name)


def _command_of(control: socket.socket) -> list[str] | None:
    """In the child, its words, with all else about it set; in the parent, when nobody asks any more, nothing."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, LONGEST_REQUEST, 3)
        if not request:
            return None
        child = os.fork()
        if child == 0:
            control.close()
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
                os.close(descriptor)
            asked = json.loads(request)
            os.environ.clear()
            os.environ.update(asked["environment"])
            words: list[str] = asked["words"]
            return words
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


if __name__ == "__main__":
    _load_everything()
    gc.freeze()  # what is shared stays so
    command = _command_of(socket.socket(fileno=int(sys.argv[1])))
    if command is not None:
        sys.argv = command
        from services.cli.main import main

        main()
