"""However the broker delivers them, the messages of one key are taken once each, in the order of their numbers."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from services.ground import tables
from services.ground.microbatch import Delivery
from services.ground.settings import Settings
from tests.support.toy import Toy, says, toy

_examples = itertools.count(1)

FATES = ("taken", "taken", "taken", "refused", "boom", "null")
LAST = 5  # of each person's messages


@dataclass(frozen=True)
class Course:
    """What becomes of each person's messages, and when they come: (person, number), with repeats, in batches."""

    fates: tuple[tuple[str, ...], ...]
    batches: tuple[tuple[tuple[int, int], ...], ...]


@st.composite
def courses(draw: st.DrawFn) -> Course:
    fates = draw(st.lists(st.lists(st.sampled_from(FATES), min_size=1, max_size=LAST), min_size=1, max_size=3))
    once = [(person, number) for person, own in enumerate(fates) for number in range(1, len(own) + 1)]
    repeats = draw(st.lists(st.sampled_from(once), max_size=4))
    order = draw(st.permutations(once + repeats))
    cuts = sorted(draw(st.sets(st.integers(1, len(order)), max_size=4)) | {0, len(order)})
    batches = [tuple(order[start:end]) for start, end in itertools.pairwise(cuts)]
    return Course(tuple(map(tuple, fates)), tuple(batch for batch in batches if batch))


@pytest.fixture
async def consumer(settings: Settings) -> AsyncIterator[Toy]:
    async with toy(settings) as made:
        yield made


@given(courses())
@example(Course((("taken",) * 4,), (((0, 3), (0, 1), (0, 4), (0, 2)),)))
@example(Course((("taken",) * 4,), (((0, 4), (0, 2)), ((0, 3),), ((0, 1),))))
@example(Course((("boom", "taken", "refused", "taken"),), (((0, 4),), ((0, 2), (0, 1), (0, 3)))))
@effort(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
async def test_each_is_taken_once_in_order_and_none_is_left_waiting(consumer: Toy, course: Course) -> None:
    name = f"x{next(_examples)}"
    aside_before, taken_before = len(await consumer.aside()), len(await consumer.taken())
    places = itertools.count(1)

    def delivery(person: int, number: int) -> Delivery:
        fate = course.fates[person][number - 1]
        return says(f"{name}-{person}-{number}", at=next(places), person=f"{name}-{person}", number=number, take=fate)

    left: list[Delivery] = []
    for batch in course.batches:
        left += await consumer.take(*(delivery(*place) for place in batch), max_attempts=2)
    while left:  # the broker delivers them again, one by one and latest first
        left = left[:-1] + await consumer.take(left[-1], max_attempts=2)

    taken = (await consumer.taken())[taken_before:]
    aside = {id_ for id_, _ in (await consumer.aside())[aside_before:]}
    for person, fates in enumerate(course.fates):
        good = [f"{name}-{person}-{number}" for number, fate in enumerate(fates, 1) if fate == "taken"]
        bad = {f"{name}-{person}-{number}" for number, fate in enumerate(fates, 1) if fate != "taken"}
        assert [id_ for id_ in taken if id_ in good] == good
        assert bad <= aside
    assert len(aside) + len(taken) == sum(map(len, course.fates)), "nothing else"
    assert await consumer.rows(tables.early) == []
    assert await consumer.rows(tables.attempts) == []


async def test_one_that_comes_after_its_place_was_taken_is_taken_as_it_comes(consumer: Toy) -> None:
    await consumer.take(says("1", at=1, person="p", number=1, take="refused"), says("2", at=2, person="p", number=2))
    await consumer.take(says("1", at=3, person="p", number=1), says("3", at=4, person="p", number=3))
    assert await consumer.taken() == ["2", "1", "3"]
    positions = [(row["key"], row["last"]) for row in await consumer.rows(tables.positions)]
    assert positions == [("p", 3)]
