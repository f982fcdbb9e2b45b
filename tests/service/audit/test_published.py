"""The published log as others meet it: over HTTP, seen by witnesses, and after its key was followed by another."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import structlog
import uvicorn

from schemas.log.errors import Missing, NotSigned
from schemas.log.note import VerifierKey
from schemas.log.reader import read_checkpoint, verify_log
from schemas.log.tiles import Fetch
from schemas.log.trust import Trust
from services.audit import cosigning
from services.audit.keys import KeyMissing, make_first_key, read_keys
from services.audit.serving import kind_of, serving
from services.cli.looking import state_of_the_store
from services.cli.wiring import migrate
from services.ground.clock import SetClock, WallClock
from services.ground.settings import Settings
from tests.support.audit_log import running_witnesses
from tests.support.grown import alarmed, grow, published, seen_by, until
from tests.support.log_checks import fetch_from, signed_log_problems
from tests.support.system import system
from tests.support.typed import Typed

ONE_STORE = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """The folder over HTTP, as `onward audit serve` gives it out. Yields the address."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(serving(folder), log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listening.close()


@contextmanager
def fetching(address: str) -> Iterator[Fetch]:
    """The log as a consumer reads it from there."""
    with httpx.Client() as client:

        def fetch(path: str) -> bytes:
            answer = client.get(f"{address}/{path}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise Missing(path)
            return answer.raise_for_status().content

        yield fetch


@ONE_STORE
async def test_a_consumer_verifies_it_over_http(settings: Settings) -> None:
    async with system(settings) as onward:
        await grow(onward, *range(1, 60))
        signed = await published(onward)
        trust = Trust([read_keys(settings.log_key).current.verifier])
        async with served(settings.log_folder) as address:
            with fetching(address) as fetch:
                verified = await asyncio.to_thread(verify_log, fetch, trust)
            assert verified.end == signed.checkpoint.size > 256
            async with httpx.AsyncClient(base_url=address) as client:
                checkpoint = await client.get("/checkpoint")
                assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
                assert checkpoint.headers["cache-control"] == "no-cache"
                tile = await client.get("/tile/entries/000")
                assert "immutable" in tile.headers["cache-control"]
                assert (await client.head("/tile/0/000")).status_code == httpx.codes.OK
                assert (await client.post("/checkpoint")).status_code == httpx.codes.METHOD_NOT_ALLOWED
                for path in ("/", "/tile/0/001", "/tile/0/000/", "/keys/log.key", "/../keys/log.key"):
                    assert (await client.get(path)).status_code == httpx.codes.NOT_FOUND, path


@pytest.mark.parametrize(
    "path",
    [
        "", "..", "../keys/log.key", "tile/../../keys/log.key", "tile/0/../../checkpoint", "/etc/passwd",
        "keys/log.key", "keys/01234567", "tile/0/000\n", "tile/0/0000",
        "tile/64/000", "tile/0/x00/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/entries/000.p/../x",
        ".checkpoint.123", "checkpoint\x00", "CHECKPOINT", "tile/0/\u0660\u0660\u0660", "tile/0/x000/000",
    ],
)  # fmt: skip
def test_nothing_else_of_the_disk_is_given_out(path: str) -> None:
    assert kind_of(path) is None


@ONE_STORE
async def test_two_witnesses_sign_what_is_published_and_one_that_is_away_delays_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cosigning, "AGAIN_SECONDS", 0.2)
    make_first_key(settings.log_key, settings.log_origin, signed_before=False)
    key = read_keys(settings.log_key).current.verifier
    with running_witnesses(tmp_path, ["w.one", "w.two"], [key]) as two:
        asked = settings.model_copy(update={"witnesses": tuple(each.asked for each in two)})
        async with system(asked) as onward:
            await grow(onward, 1)
            await until(lambda: seen_by(onward, "w.one", "w.two"))
            state = await onward.world.database.read(lambda c: state_of_the_store(c, onward.world.clock.now()))
            assert state["log"]["witnesses"] == ["w.one", "w.two"]
            two[0].process.terminate()
            two[0].process.wait(10)
            await grow(onward, 2)
            await published(onward)
            await until(lambda: seen_by(onward, "w.two"))
            await until(lambda: alarmed(onward, "witness w.one", "does not answer"))
            assert await signed_log_problems(onward.world.database, asked) == []


@ONE_STORE
async def test_whoever_knows_the_old_key_learns_of_the_new_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock(WallClock().now())
    async with system(settings, clock=clock) as onward:
        here = Typed(settings, clock, monkeypatch)
        await grow(onward, 1)
        await published(onward)
        first = read_keys(settings.log_key).current.verifier
        said = await here.onward("audit", "keys", "rotate", "--by", "j.smith")
        assert said.exit_code == 0, said.output
        second = read_keys(settings.log_key).current.verifier
        assert str(second) in said.output.replace("\n", "")
        clock.move(timedelta(seconds=5))  # what a command leaves to be sent is found when it has waited for a while
        await grow(onward, 2)
        fetch = fetch_from(settings.log_folder)
        await until(lambda: _learnt(fetch, first, second))
        for key in (first, second):
            signed = await published(onward, [key])
            assert verify_log(fetch, Trust([key])).end == signed.checkpoint.size
        clock.move(timedelta(days=31))
        await grow(onward, 3)
        await published(onward, [second])
        assert verify_log(fetch, Trust([first])).checkpoint.signed_by[0].key == second
        shown = await here.json("audit", "keys", "show")
        assert [key["key"] for key in shown["signed_so_far"]] == [str(first), str(second)]
        assert [key["handed_over"] for key in shown["signed_so_far"]] == [False, True]
        assert (shown["current"], shown["signing_as_well"]) == (str(second), [])
        entries = [entry for entry in await onward.messages("AUDIT") if entry["data"]["purpose"] == "log_key_rotation"]
        assert [entry["data"]["actor"]["id"] for entry in entries] == ["j.smith"]


async def _learnt(fetch: Fetch, first: VerifierKey, second: VerifierKey) -> bool:
    return read_checkpoint(fetch, Trust([first])).learnt == (second,)


@ONE_STORE
async def test_a_witness_that_was_told_of_the_first_key_signs_on_when_that_one_is_gone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_first_key(settings.log_key, settings.log_origin, signed_before=False)
    clock = SetClock(WallClock().now())
    with running_witnesses(tmp_path, ["w.one"], [read_keys(settings.log_key).current.verifier]) as [witness]:
        asked = settings.model_copy(update={"witnesses": (witness.asked,)})
        async with system(asked, clock=clock) as onward:
            await grow(onward, 1)
            await until(lambda: seen_by(onward, "w.one"))
            here = Typed(asked, clock, monkeypatch)
            for number in (2, 3):
                assert (await here.onward("audit", "keys", "rotate", "--by", "j.smith")).exit_code == 0
                clock.move(timedelta(days=31))
                await grow(onward, number)
                await published(onward)
            await until(lambda: seen_by(onward, "w.one"))
            assert not await onward.rows("SELECT why FROM log_alarms")


@ONE_STORE
async def test_a_key_that_is_gone_is_never_made_anew_in_silence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with system(settings) as onward:
        here = Typed(settings, onward.world.clock, monkeypatch)
        await grow(onward, 1)
        await published(onward)
        lost = settings.log_key.rename(settings.log_key.with_name("elsewhere"))
        await until(lambda: alarmed(onward, "signing", "is not there"))
        await grow(onward, 2)
        status = await here.onward("status")
        assert status.exit_code == 1
        assert "is not there, so nothing is signed" in " ".join(status.output.split())
        with pytest.raises(KeyMissing):
            await migrate(onward.world)
        assert not settings.log_key.exists()
        assert (await here.onward("audit", "keys", "rotate", "--by", "j.smith")).exit_code == 2
        lost.rename(settings.log_key)
        await published(onward)
        assert (await here.onward("audit", "keys", "rotate", "--lost", "--by", "j.smith")).exit_code == 2, "it is there"
        first = read_keys(settings.log_key).current.verifier
        settings.log_key.unlink()
        assert (await here.onward("audit", "keys", "rotate", "--lost", "--by", "j.smith")).exit_code == 0
        await grow(onward, 3)
        second = read_keys(settings.log_key).current.verifier
        await published(onward, [second])
        with pytest.raises(NotSigned):  # no key names it
            verify_log(fetch_from(settings.log_folder), Trust([first]))
        assert await signed_log_problems(onward.world.database, settings) == []
        assert (await here.onward("status")).exit_code == 0


@ONE_STORE
async def test_entries_that_wait_to_be_signed_are_told_of(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = settings.model_copy(update={"checkpoint_seconds": 3600})
    for minutes, told in ((0, False), (5, True)):
        clock = SetClock(WallClock().now() - timedelta(minutes=minutes))
        async with system(silent, clock=clock):
            here = Typed(silent, clock, monkeypatch)
            status = await here.onward("status")
            said = "wait to be signed for more than a minute" in " ".join(status.output.split())
            assert (said, "not signed yet" in status.output) == (told, True), status.output
        silent = silent.model_copy(update={"data_dir": settings.data_dir / "another"})


@ONE_STORE
async def test_another_history_under_the_same_key_is_refused_by_a_witness_and_people_are_told(
    settings: Settings, tmp_path: Path
) -> None:
    """As by somebody who has the key and put everything else back: the store, the folder, what lies beside the key."""
    make_first_key(settings.log_key, settings.log_origin, signed_before=False)
    with running_witnesses(tmp_path, ["w.one"], [read_keys(settings.log_key).current.verifier]) as [witness]:
        asked = settings.model_copy(update={"witnesses": (witness.asked,)})
        async with system(asked) as onward:
            await grow(onward, 1, 2, 3)
            await until(lambda: seen_by(onward, "w.one"))
        again = asked.model_copy(update={"data_dir": tmp_path / "again"})
        again.log_key.parent.mkdir(parents=True)
        again.log_key.write_bytes(settings.log_key.read_bytes())
        again.log_key.chmod(0o600)
        async with system(again) as onward:
            await grow(onward, 4)
            await published(onward)
            await until(lambda: alarmed(onward, "witness w.one", "does not sign this log"))
            assert not await seen_by(onward, "w.one")
