"""The past is read from either store as it was kept: each event once, by its last decision, persons as they are now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from services.cli.replaying import read_past
from services.ground.database import Database, open_database
from services.ground.settings import Settings
from services.ground.sql import insert_all
from services.ground.work import Work
from services.router import history, store
from services.router.rules.declarations import CountWithin
from services.router.rules.events import EventKind
from services.router.rules.files import packed
from services.router.rules.loader import load_rule_set
from services.router.rules.replay.windows import counts_within
from tests.support.opening import make_known

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
RULES = load_rule_set(Settings().rules_dir)

JOINED, PERSON = PERSONS = ("01938f00-0000-7000-8000-00000000a001", "01938f00-0000-7000-8000-00000000a002")


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """A store with two persons who are one, and an event that was decided again."""
    found = await open_database(settings)
    await found.write(lambda c: make_known(c, *PERSONS))
    await found.write(_fill)
    yield found
    await found.close()


def _fill(connection: Connection) -> None:
    moments = [NOW + timedelta(days=day) for day in range(4)]
    kinds = ("relapse", "relapse", "decision_answer_review", "low_mood")
    persons = (JOINED, PERSON, PERSON, PERSON)
    work = Work(connection, service="router", now=NOW)
    insert_all(
        connection,
        store.case_events,
        [
            {
                "event_id": f"e{number}",
                "person_id": persons[number],
                "sequence": number,
                "kind": kind,
                "occurred_at": moments[number],
                "taken_at": moments[number],
                "source": "s",
                "origin_id": str(number),
                "content": work.seal(persons[number], store.case_events.c.content, f"e{number}", b"{}"),
            }
            for number, kind in enumerate(kinds)
        ],
    )
    cases = [
        {
            "person_id": person,
            "opened_at": NOW,
            "changed_at": NOW,
            "referral_event": None,
            "remembered": work.seal_json(person, store.cases.c.remembered, person, {}),
            "merged_into": into,
            "joined": None,
        }
        for person, into in ((JOINED, PERSON), (PERSON, None))
    ]
    insert_all(connection, store.cases, cases)
    decided = [("d0", 0, 0, None), ("d1", 1, 1, None), ("d2", 2, 2, None), ("d2b", 1, 2, "e2"), ("d3", 3, 3, None)]
    insert_all(
        connection,
        store.decisions,
        [
            {
                "id": id_,
                "event_id": f"e{event}",
                "person_id": persons[event],
                "decided_at": moments[moment],
                "rule_set": RULES.digest,
                "facts": work.seal_json(
                    persons[event],
                    store.decisions.c.facts,
                    id_,
                    {"event": kinds[event], "substances": ["alcohol"], "age": None if because is None else 40},
                ),
                "said": work.seal_json(persons[event], store.decisions.c.said, id_, {}),
                "first_decision": None,
                "again_because": because,
            }
            for id_, event, moment, because in decided
        ],
    )
    insert_all(
        connection,
        store.rule_sets,
        [{"digest": RULES.digest, "files": packed(RULES.files), "kept_at": NOW}],
    )


@pytest.mark.parametrize("part", [1, 2, 100])
async def test_the_past_is_read_whole_whatever_the_size_of_its_parts(
    database: Database, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr(history, "PART", part)
    seen: list[tuple[int, int]] = []
    read = await database.read(lambda c: read_past(c, None, lambda done, total: seen.append((done, total))))
    past = read.past
    assert [(past.event_ids[place], past.decisions[place]) for place in range(len(past))] == [
        ("e0", "d0"),
        ("e2", "d2"),
        ("e1", "d2b"),
        ("e3", "d3"),
    ]
    assert seen[-1] == (5, 5)
    assert list(read.kept) == [RULES.digest]
    ages = past.facts["age"]
    assert [ages.values[code] for code in ages.codes.tolist()] == [None, None, 40, None]
    assert past.facts["substances"].values[-1] == ("alcohol",)
    relapses = counts_within(past, CountWithin((EventKind.RELAPSE,), 28), reach_days=366)
    assert relapses.tolist() == [1, 2, 2, 2], "of both persons, who are one, each counted once"


async def test_only_what_was_decided_since_a_day_is_read_and_all_that_happened(database: Database) -> None:
    read = await database.read(lambda c: read_past(c, NOW + timedelta(days=3), lambda _done, _total: None))
    assert read.past.event_ids == ["e3"]
    assert counts_within(read.past, CountWithin((EventKind.RELAPSE,), 28), reach_days=366).tolist() == [2]
