"""A version of the rules is put in force while events flow: routers take it up between batches, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from itertools import groupby
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from services.cli.wiring import migrate
from services.ground.clock import WallClock
from services.ground.errors import OnwardError
from services.ground.settings import Settings
from services.ground.streams import partition_of
from services.ground.work import Work
from services.ground.world import World, open_world
from services.router import store, versions
from services.router.in_force import load_in_force, rule_set_at
from services.router.rules.decision import Decision
from services.router.rules.facts import Facts
from services.router.rules.files import Files
from services.router.rules.loader import files_in, read_rule_set
from services.router.rules.mistakes import RuleSetRefused
from services.router.rules.ruleset import RuleSet
from services.router.versions import By, StepKind
from tests.support.checks import problems_of
from tests.support.events import referral_of
from tests.support.system import system

SHIPPED = files_in(Settings().rules_dir)
BY = By("a.khan", "programme_manager", "onward", "as a test wants it")
EVENTS, BEFORE_THE_CHANGE = 400, 120
NEW_RULE = """
- id: referral-all-are-housed
  because: A rule that the shipped set does not have.
  when: {event: referral}
  then:
    - route: housing_support
      priority: 3
      due: 10 working days
"""


def changed() -> tuple[str, Files]:
    """The shipped rules with one more, and their digest."""
    files = {**SHIPPED, "rules/referral.yaml": SHIPPED["rules/referral.yaml"] + NEW_RULE.encode()}
    return read_rule_set(files).digest, files


async def put_in_force(world: World, digest: str, files: Files) -> None:
    """Past those who approve: what they may is tested by itself."""

    def keep(connection: Connection) -> None:
        work = Work(connection, service="router", now=world.clock.now())
        now = versions.in_force(connection)
        assert now is not None
        proposal = versions.propose(work, digest, files, BY, {"floors": False})
        versions.put_in_force(work, digest, BY, instead_of=now.digest, kind=StepKind.IN_FORCE, proposal=proposal)
        work.finish()

    await world.database.write(keep)


async def try_out(world: World, digest: str, files: Files) -> None:
    """Put a version forward, and have it decide beside."""

    def keep(connection: Connection) -> None:
        work = Work(connection, service="router", now=world.clock.now())
        versions.propose(work, digest, files, BY, {"floors": False})
        versions.try_out(work, digest, BY, stop=False)
        work.finish()

    await world.database.write(keep)


def _stop(connection: Connection, digest: str, now: datetime) -> None:
    work = Work(connection, service="router", now=now)
    versions.try_out(work, digest, BY, stop=True)
    work.finish()


async def test_a_change_goes_live_under_load(settings: Settings) -> None:
    old = read_rule_set(SHIPPED).digest
    new, files = changed()
    async with system(settings) as onward:
        for number in range(EVENTS):
            await onward.publish(referral_of(number))
            if number == BEFORE_THE_CHANGE:
                await put_in_force(onward.world, new, files)
            await asyncio.sleep(1 / 200)
        await onward.settle()
        decided = await onward.rows("SELECT rule_set, person_id FROM decisions ORDER BY id")
        assert len(decided) == EVENTS
        assert {row["rule_set"] for row in decided} == {old, new}
        by_partition = defaultdict(list)
        for row in decided:
            by_partition[partition_of(row["person_id"], settings)].append(row["rule_set"])
        for partition, digests in by_partition.items():
            in_turn = [digest for digest, _ in groupby(digests)]
            assert in_turn in ([old, new], [new], [old]), f"partition {partition} went back and forth"
        housed = await onward.rows(
            "SELECT count(*) AS n FROM legs l JOIN decisions d ON d.event_id = l.opened_by "
            "WHERE l.destination = 'housing_support' AND d.rule_set = :old",
            old=old,
        )
        assert housed == [{"n": 0}], "what was decided by the old rules was done by them"
        sent = [f"referral-{number}" for number in range(EVENTS)]
        assert await problems_of(onward.world.database, onward.connection, acknowledged=sent) == []
        entries = [message["data"] for message in await onward.messages("AUDIT")]
        steps = [tuple(entry["fields"]) for entry in entries if entry["purpose"] == "rules"]
        assert steps == [("first",), ("proposed",), ("in_force",)]


async def test_a_router_that_cannot_load_a_version_keeps_the_one_it_has_and_says_so(settings: Settings) -> None:
    old = read_rule_set(SHIPPED).digest
    broken = {**SHIPPED, "floors.yaml": b"floors: of a later version\n"}
    async with system(settings) as onward:
        await onward.publish(referral_of(1))
        await onward.settle()
        await put_in_force(onward.world, "sha256:" + "0" * 64, broken)
        await onward.publish(referral_of(2))
        await onward.settle()
        assert [row["rule_set"] for row in await onward.rows("SELECT rule_set FROM decisions")] == [old, old]
        [told] = await onward.rows("SELECT digest, refused, why FROM router_rules")
        assert (told["digest"], told["refused"]) == (old, "sha256:" + "0" * 64)
        assert "floors.yaml:1:1" in told["why"]
        found = await load_in_force(onward.world.database)
        assert found.digest == old, "one that starts now decides by what was in force before"


async def test_a_version_that_is_tried_out_decides_beside_and_does_nothing(settings: Settings) -> None:
    new, files = changed()
    async with system(settings) as onward:
        await try_out(onward.world, new, files)
        await onward.publish(referral_of(1))
        await onward.settle()
        await onward.world.database.write(lambda c: _stop(c, new, onward.world.clock.now()))
        await onward.publish(referral_of(2))
        await onward.settle()
        [tried] = await onward.rows("SELECT s.rule_set, s.differs FROM shadow_decisions s")
        differs = json.loads(tried["differs"]) if isinstance(tried["differs"], str) else tried["differs"]
        assert tried["rule_set"] == new
        assert list(differs) == ["routes"]
        mine, beside = differs["routes"]
        assert beside == {**mine, "housing_support": 3}
        assert await onward.rows("SELECT id FROM legs WHERE destination = 'housing_support'") == []
        sent = ["referral-1", "referral-2"]
        assert await problems_of(onward.world.database, onward.connection, acknowledged=sent) == []
        open_still = await onward.world.database.read(lambda c: versions.open_proposal(c, new))
        assert open_still is not None, "trying out is no answer to whether it should be in force"


async def test_a_version_that_fails_beside_holds_up_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, files = changed()

    def fail(rules: RuleSet, facts: Facts) -> Decision:
        raise ArithmeticError

    monkeypatch.setattr("services.router.shadow.decide", fail)
    async with system(settings) as onward:
        await try_out(onward.world, new, files)
        await onward.publish(referral_of(1))
        await onward.settle()
        [tried] = await onward.rows("SELECT differs FROM shadow_decisions")
        assert "ArithmeticError" in str(tried["differs"])
        assert await problems_of(onward.world.database, onward.connection, acknowledged=["referral-1"]) == []


async def test_the_first_rules_are_those_of_the_installation_and_stay_until_somebody_says_otherwise(
    settings: Settings, tmp_path: Path
) -> None:
    async with open_world(settings, WallClock()) as world:
        await migrate(world)
        first = await world.database.read(versions.in_force)
        assert first is not None
        assert first.digest == read_rule_set(SHIPPED).digest
        elsewhere = world.settings.model_copy(update={"rules_dir": tmp_path})
        await migrate(World(elsewhere, world.clock, world.database, world.nats_url))
        assert await world.database.read(versions.in_force) == first


async def test_rules_that_cannot_be_read_are_refused_before_anything_runs(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    wrong = settings.model_copy(update={"rules_dir": tmp_path / "rules"})
    async with open_world(wrong, WallClock()) as world:
        with pytest.raises(RuleSetRefused, match=r"floors.yaml:1:1: this file is missing"):
            await migrate(world)


async def test_of_two_who_change_the_rules_at_once_the_second_is_told(settings: Settings) -> None:
    new, files = changed()
    async with system(settings, names=()) as onward:
        await put_in_force(onward.world, new, files)

        def late(connection: Connection) -> None:
            work = Work(connection, service="router", now=onward.world.clock.now())
            old = read_rule_set(SHIPPED).digest
            versions.put_in_force(work, new, BY, instead_of=old, kind=StepKind.IN_FORCE, proposal=None)

        with pytest.raises(OnwardError, match="changed in the meantime"):
            await onward.world.database.write(late)
        assert [step["step"] for step in await onward.world.database.read(versions.steps)] == [
            "first",
            "proposed",
            "in_force",
        ]


@pytest.mark.parametrize("find", [versions.digest_named, rule_set_at])
async def test_a_beginning_that_two_digests_share_is_refused_with_both_named(
    settings: Settings, find: Callable[[Connection, str], object]
) -> None:
    alike = [f"sha256:abcdef{digit}{'0' * 57}" for digit in "12"]
    async with open_world(settings, WallClock()) as world:
        await migrate(world)
        rows = [{"digest": digest, "files": b"", "kept_at": world.clock.now()} for digest in alike]
        await world.database.write(lambda connection: connection.execute(insert(store.rule_sets), rows))
        for start, named in (("abcdef", alike), ("sha256:abcdef", alike), ("fedcba", [])):
            with pytest.raises(OnwardError) as refused:
                await world.database.read(lambda connection, start=start: find(connection, start))  # type: ignore[misc]
            assert [digest for digest in alike if digest in str(refused.value)] == named
