"""Where things stand: nothing collides, nothing is lost, everything is on the sheet, in every form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cli.picture.compose import compose
from services.cli.picture.model import Picture
from services.cli.picture.scene import NARROW, WIDE, Bar, Box, Pill, Scene, Stamp, Words
from services.cli.picture.sheet import chart_scene, whole_scene
from tests.support.pictures import DIRECTORY, Making, moment, the_case, the_long_case

CASES = {"the case": the_case, "the long case": the_long_case}
STATUSES = ("acknowledged", "accepted", "waitlisted", "on_programme", "on_hold", "programme_complete", "withdrawn")


def picture(name: str) -> Picture:
    rows, now = CASES[name]()
    return compose(rows, DIRECTORY, now, "ops")


def scenes(drawn: Picture) -> Iterator[Scene]:
    yield whole_scene(drawn)
    yield chart_scene(drawn, WIDE)
    yield chart_scene(drawn, NARROW)


def collisions(scene: Scene) -> list[tuple[str, str]]:
    """Texts and numbered marks that run into one another."""
    boxes: list[tuple[str, Box]] = [(s.text, s.box) for s in scene.shapes() if isinstance(s, Words | Pill)]
    return [
        (text, other)
        for place, (text, box) in enumerate(boxes)
        for other, others in boxes[place + 1 :]
        if box.meets(others)
    ]


def beyond(scene: Scene) -> list[str]:
    """Texts, numbered marks and bars that leave the sheet."""
    found = []
    for shape in scene.shapes():
        match shape:
            case Words() | Pill():
                box, name = shape.box, shape.text
            case Bar(x, y, width, height):
                box, name = Box(x, y, x + width - 3, y + height), shape.title  # the least width may stand over
            case Stamp(x, y):
                box, name = Box(x, y, x, y), shape.title
            case _:
                continue
        if box.left < 0 or box.top < 0 or box.right > scene.width + 0.5 or box.bottom > scene.height:
            found.append(name)
    return found


@pytest.mark.parametrize("name", CASES)
def test_nothing_collides_and_nothing_leaves_the_sheet(name: str) -> None:
    for scene in scenes(picture(name)):
        assert collisions(scene) == []
        assert beyond(scene) == []


def test_a_collision_would_be_found() -> None:
    rows, now = the_case()
    scene = chart_scene(compose(rows, DIRECTORY, now, "ops"), WIDE)
    first = next(shape for shape in scene.shapes() if isinstance(shape, Words))
    again = Words(first.x + 2, first.y + 2, "over it", first.size)
    crowded = Scene(scene.width, scene.height, (*scene.groups, type(scene.groups[0])("planted", (again,))))
    assert collisions(crowded)
    assert beyond(Scene(10, 10, scene.groups))


@st.composite
def some_cases(draw: st.DrawFn) -> Picture:
    """Any case: some legs that go anywhere, events, checks and questions in any crowd, at any moment of it."""
    case, start = Making(), moment(2026, 1, 5)
    days = draw(st.sampled_from((1, 9, 60, 400, 1100)))

    def at() -> st.SearchStrategy[float]:
        return st.floats(min_value=0, max_value=days)

    event = case.event(start, "referral", "northshire-police")
    for name in draw(st.lists(st.sampled_from(sorted(DIRECTORY.places)), min_size=1, max_size=9, unique=True)):
        leg = case.leg(start + timedelta(days=draw(at())), name, event)
        for day in sorted(draw(st.lists(at(), max_size=6))):
            status = draw(st.sampled_from(STATUSES))
            case.move(max(start + timedelta(days=day), case.rows.legs[-1].since), leg, status, event, "for some reason")
        for day in draw(st.lists(at(), max_size=5)):
            case.check(start + timedelta(days=day), leg, draw(st.sampled_from(("due", "done", "missed"))))
    for day in draw(st.lists(at(), max_size=40)):
        case.event(start + timedelta(days=day), "relapse", "dapp-northshire")
    for day in draw(st.lists(at(), max_size=20)):
        answered = start + timedelta(days=day + 1) if draw(st.booleans()) else None
        case.question(start, start + timedelta(days=day), "What now?", event, answered=answered)
    return compose(
        case.rows, DIRECTORY, start + timedelta(days=draw(at())), draw(st.sampled_from(("ops", "person-side")))
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(some_cases())
def test_in_any_case_nothing_collides_and_each_leg_event_and_question_is_there_once(drawn: Picture) -> None:
    for scene in scenes(drawn):
        assert collisions(scene) == []
        assert beyond(scene) == []
        assert [group.id for group in scene.groups if group.kind == "lane"] == [lane.leg_id for lane in drawn.lanes]
        for kind, many in (("events", len(drawn.events)), ("questions", len(drawn.questions))):
            numbers = [n for s in scene.shapes(kind) if isinstance(s, Pill) for n in s.numbers]
            assert numbers == list(range(1, many + 1))
        bars = sum(isinstance(shape, Bar) for shape in scene.shapes("lane"))
        assert bars == sum(len(lane.spans) for lane in drawn.lanes)
        stamps = sum(isinstance(shape, Stamp) for shape in scene.shapes("lane"))
        assert stamps == sum(len(lane.marks) for lane in drawn.lanes)


def test_the_words_of_a_stretch_are_the_fullest_that_fit() -> None:
    wide = [s.text for s in whole_scene(picture("the case")).shapes("lane") if isinstance(s, Words)]
    assert "Paused: relapse, until Mon 25 Jan 2027" in wide
    narrow = [s.text for s in chart_scene(picture("the case"), NARROW).shapes("lane") if isinstance(s, Words)]
    assert "Paused: relapse, until Mon 25 Jan 2027" not in narrow


def test_checks_that_stand_close_are_drawn_smaller() -> None:
    sizes = {s.size for s in whole_scene(picture("the long case")).shapes("lane") if isinstance(s, Stamp)}
    assert min(sizes) < 1
