"""The NATS cluster of docker-compose.yml from processes: its own configuration file, on free loopback ports."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.ground.nats_server import _binary, _die_with_parent, answers
from services.ground.settings import REPOSITORY

PASSWORD = "cluster1secret"  # noqa: S105 - of servers that live as long as a test
NODES = 3
READY_SECONDS = 20.0


class Cluster:
    """Three nodes, each with its own store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = free_ports(NODES)
        self._cluster_ports = free_ports(NODES)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def urls(self) -> list[str]:
        """Where each node listens."""
        return [f"nats://onward:{PASSWORD}@127.0.0.1:{port}" for port in self._ports]

    async def start(self) -> None:
        """Start every node and wait until JetStream has a leader. Raises TimeoutError."""
        for node in range(NODES):
            self.start_node(node)
        for url in self.urls:
            async with asyncio.timeout(READY_SECONDS):
                while not await answers(url):  # noqa: ASYNC110 - nobody here can set an event
                    await asyncio.sleep(0.1)

    def start_node(self, node: int) -> None:
        """Start one node, on the store that it had."""
        config = self._folder / f"nats-{node + 1}.conf"
        config.write_text(self._config_of(node))
        with (self._folder / f"nats-{node + 1}.log").open("ab") as log:
            self._processes[node] = subprocess.Popen(
                [str(_binary()), "--config", str(config), "--name", f"nats-{node + 1}"],
                stdout=log,
                stderr=log,
                env={**os.environ, "NATS_PASSWORD": PASSWORD},
                preexec_fn=_die_with_parent,
            )

    def kill_node(self, name: str) -> int:
        """SIGKILL, by the name that the cluster knows it by (`nats-1`). Returns its number."""
        node = int(name.rpartition("-")[2]) - 1
        self._processes[node].kill()
        self._processes[node].wait()
        return node

    def stop(self) -> None:
        """End every node."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _config_of(self, node: int) -> str:
        text = (REPOSITORY / "deploy" / "nats.conf").read_text()
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self._cluster_ports)
        for pattern, value in (
            (r'^listen: "0\.0\.0\.0:4222"', f'listen: "127.0.0.1:{self._ports[node]}"'),
            (r"^http: .*$", ""),
            (r'store_dir: "/data"', f'store_dir: "{self._folder / f"js-{node + 1}"}"'),
            (r'listen: "0\.0\.0\.0:6222"', f'listen: "127.0.0.1:{self._cluster_ports[node]}"'),
            (r"routes: \[.*\]", f"routes: [{routes}]"),
        ):
            text, found = re.subn(pattern, value, text, flags=re.MULTILINE)
            assert found == 1, pattern
        return text


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@asynccontextmanager
async def nats_cluster(folder: Path) -> AsyncIterator[Cluster]:
    """A running cluster that ends with the block."""
    cluster = Cluster(folder)
    try:
        await cluster.start()
        yield cluster
    finally:
        cluster.stop()
