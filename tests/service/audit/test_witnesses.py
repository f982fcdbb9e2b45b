"""Two witnesses, each a process of its own, and a log that shows them one past, or two."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from schemas.log.errors import SplitView
from schemas.log.merkle import consistency_proof
from schemas.log.note import COSIGNATURE, SigningKey, VerifierKey, with_signatures
from schemas.log.trust import Trust, check_growth, check_same
from schemas.log.witnessing import LARGEST_REQUEST
from services.audit.witness import Witness, WitnessState
from services.audit.witnessing import Answers, Asked, Prove, ask_witnesses
from services.ground.clock import WallClock
from services.ground.errors import OnwardError, SettingsRefused
from tests.support.audit_log import RunningWitness, running_witnesses
from tests.unit.schemas.log.logs import KEY, checkpoint_of, tree_of

LEAVES = [b"entry %d" % number for number in range(600)]
FORKED = [*LEAVES[:400], b"another", *LEAVES[401:]]
TRUST = Trust([KEY.verifier])


@dataclass
class Here:
    """Witnesses that answer in this process, as their own processes do."""

    asked: list[Asked]
    apps: dict[str, httpx.AsyncBaseTransport]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[list[RunningWitness]]:
    with running_witnesses(tmp_path, ["w.one", "w.two"], [KEY.verifier]) as running:
        yield running


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    found, states = Here([], {}), []
    for name in ("w.one", "w.two"):
        key = SigningKey.generate(name, COSIGNATURE)
        states.append(WitnessState(tmp_path / name))
        witness = Witness(key, [KEY.verifier], states[-1], WallClock())
        found.asked.append(Asked(f"http://{name}", key.verifier))
        found.apps[f"http://{name}"] = httpx.ASGITransport(witness.app())
    yield found
    for state in states:
        state.close()


def growth(leaves: list[bytes]) -> Prove:
    async def prove(old: int) -> Sequence[bytes]:
        return consistency_proof(old, len(leaves), tree_of(leaves))

    return prove


async def ask(
    witnesses: Sequence[Asked],
    leaves: list[bytes],
    *,
    last: dict[str, int] | None = None,
    seconds: float = 10,
    apps: dict[str, httpx.AsyncBaseTransport] | None = None,
) -> Answers:
    """Have the checkpoint of these entries cosigned."""
    async with httpx.AsyncClient(mounts=apps) as client:
        return await ask_witnesses(
            client, witnesses, checkpoint_of(leaves), prove=growth(leaves), last=last or {}, seconds=seconds
        )


async def test_both_sign_a_log_that_grows_and_whoever_asks_for_both_believes_it(two: list[RunningWitness]) -> None:
    both = Trust([KEY.verifier], [VerifierKey.parse(witness.vkey) for witness in two])
    last: dict[str, int] = {}
    for size in (0, 1, 300, 300, 600):
        answers = await ask([Asked.parse(witness.asked) for witness in two], LEAVES[:size], last=last)
        assert (answers.refused, answers.away) == ({}, {})
        signed = both.open(with_signatures(checkpoint_of(LEAVES[:size]), answers.lines.values()))
        assert [each.key.name for each in signed.cosigned_by] == ["w.one", "w.two"]
        last = {"w.one": size}  # of the other it is found out by asking


async def test_two_logs_shown_to_two_witnesses_are_found_by_comparing_what_they_signed(
    two: list[RunningWitness],
) -> None:
    one, other = (Asked.parse(witness.asked) for witness in two)
    assert (await ask([one], LEAVES[:500])).lines
    assert (await ask([other], FORKED[:500])).lines
    async with httpx.AsyncClient() as client:
        asked = [await client.get(f"{each.url}/checkpoint", params={"origin": KEY.name}) for each in (one, other)]
    seen = [TRUST.open_old(each.content) for each in asked]
    with pytest.raises(SplitView, match="signed two logs of 500 entries"):
        check_same(*seen)
    grown = TRUST.open(checkpoint_of(LEAVES))
    check_growth(seen[0], grown, tree_of(LEAVES))
    with pytest.raises(SplitView, match="not those that were signed before"):
        check_growth(seen[1], grown, tree_of(LEAVES))


async def test_a_witness_that_was_killed_remembers_what_it_signed(tmp_path: Path) -> None:
    with running_witnesses(tmp_path, ["w.one"], [KEY.verifier]) as [first]:
        assert (await ask([Asked.parse(first.asked)], LEAVES[:500])).lines
        first.process.kill()
        away = await ask([Asked.parse(first.asked)], LEAVES)
        assert list(away.away) == ["w.one"]
    with running_witnesses(tmp_path, ["w.one"], [KEY.verifier]) as [second]:
        assert second.vkey == first.vkey
        asked = [Asked.parse(second.asked)]
        assert "another log" in (await ask(asked, FORKED[:500])).refused["w.one"]
        assert (await ask(asked, LEAVES)).lines


async def test_one_witness_refuses_the_second_of_two_pasts(here: Here) -> None:
    one = here.asked[:1]
    await ask(one, LEAVES[:500], apps=here.apps)
    same_size = await ask(one, FORKED[:500], apps=here.apps)
    assert "another log of 500 entries was signed before" in same_size.refused["w.one"]
    longer = await ask(one, FORKED, apps=here.apps)
    assert "answers 422" in longer.refused["w.one"]
    older = await ask(one, LEAVES[:300], apps=here.apps)
    assert "has signed a log of 500 entries already, and this one has 300" in older.refused["w.one"]
    assert not same_size.lines | longer.lines | older.lines
    assert (await ask(one, LEAVES, apps=here.apps)).lines  # the first past goes on


async def test_a_witness_that_says_nothing_delays_nobody(here: Here) -> None:
    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(60)
            raise AssertionError

    answers = await ask(here.asked, LEAVES, apps={**here.apps, "http://w.two": Silent()}, seconds=0.5)
    assert list(answers.lines) == ["w.one"]
    assert answers.away == {"w.two": "TimeoutError"}


async def test_a_signature_of_somebody_else_is_not_taken(here: Here) -> None:
    one, other = here.asked
    answers = await ask([Asked(other.url, one.key)], LEAVES, apps=here.apps)
    assert answers.away == {"w.one": "answers with no signature of its own"}


def test_a_witness_without_its_memory_does_not_answer(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    first = WitnessState(file)
    with pytest.raises(OnwardError, match="another witness runs with"):
        WitnessState(file)
    first.close()
    for content in (b"", b"[]", b'{"onward.example/log": "no note"}', b'{"a": 1}'):
        file.write_bytes(content)
        with pytest.raises(OnwardError, match="Put it back from a copy"):
            WitnessState(file)


@pytest.mark.parametrize("text", ["http://w.example", "w.example a+b+c", f"http://w.example {KEY.verifier}"])
def test_what_names_no_witness_is_refused(text: str) -> None:
    with pytest.raises(SettingsRefused, match="ONWARD_WITNESSES"):
        Asked.parse(text)


async def test_a_witness_answers_only_what_it_is_there_for(here: Here) -> None:
    async with httpx.AsyncClient(mounts=here.apps) as client:
        unknown = await client.get("http://w.one/checkpoint", params={"origin": "another"})
        too_large = await client.post("http://w.one/add-checkpoint", content=b"x" * (LARGEST_REQUEST + 1))
        nonsense = await client.post("http://w.one/add-checkpoint", content=b"x")
        elsewhere = await client.post("http://w.one/checkpoint", content=b"x")
    assert [each.status_code for each in (unknown, too_large, nonsense, elsewhere)] == [404, 413, 400, 405]
