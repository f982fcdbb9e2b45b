"""The broker that runs as our child: found while it lives, and missed at once when it is gone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from services.ground.nats_server import ChildNatsServer, running_server
from services.ground.settings import Settings
from tests.support.cluster import free_ports

PATIENCE_SECONDS = 20.0  # a hang ends here; it says nothing of speed


async def test_a_serving_broker_is_found_and_after_its_end_it_is_not(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    server = ChildNatsServer(settings, stay="serving")
    await server.start()
    assert await running_server(settings) == server.url
    await server.stop()
    assert await running_server(settings) is None


async def test_an_address_that_a_killed_process_left_behind_is_nobodys_and_holds_nobody_up(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    [port] = free_ports(1)
    left = {"url": f"nats://127.0.0.1:{port}", "pid": 1, "stay": "serving"}
    (tmp_path / "nats.json").write_text(json.dumps(left))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await running_server(settings) is None
