"""The picture of the case that Onward is for, read from a real store into which the real queue brought it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from services.cli.looking import case_of
from services.cli.picture.compose import compose
from services.cli.picture.html import page
from services.cli.picture.model import MarkKind, Picture
from services.cli.picture.reading import directory_of, read_case
from services.cli.picture.svg import standalone
from services.cli.playing import begin, happen
from services.cli.story import BEGINNING, steps
from services.ground.clock import SetClock
from services.ground.settings import REPOSITORY, Settings
from services.router.rules.loader import load_rule_set
from tests.support.system import System, system

BEFORE_THE_END = timedelta(weeks=11)  # he is paused still


async def test_the_case_is_drawn_as_it_went_and_hers_is_for_ops_alone(settings: Settings) -> None:
    clock = SetClock(BEGINNING)
    async with system(settings.model_copy(update={"timer_seconds": 0.1}), clock=clock) as onward:
        await _play(onward, clock)
        [row] = await onward.rows("SELECT person_id FROM cases")
        person = row["person_id"]
        rows = await onward.world.database.read(lambda c: read_case(c, person))
        found = await onward.world.database.read(lambda c: case_of(c, person))
    directory = directory_of(load_rule_set(settings.rules_dir))
    picture = compose(rows, directory, clock.now(), "ops")
    assert {lane.leg_id for lane in picture.lanes} == {leg["id"] for leg in found["legs"]}
    left_out = {event["event_id"]: event["kind"] for event in found["events"]}
    for event in picture.events:
        del left_out[event.id]
    assert all(kind.startswith("timer_") for kind in left_out.values()), "what a timer asked is told elsewhere"
    assert len(picture.questions) == len(found["reviews"])
    _assert_as_it_went(picture)
    ours = compose(rows, directory, clock.now(), "person-side")
    assert {lane.label for lane in ours.lanes} == {lane.label for lane in picture.lanes if not lane.other_side}
    _assert_nothing_of_hers(ours, picture)


async def _play(onward: System, clock: SetClock) -> None:
    """The story, up to the middle of the pause."""
    for step in (step for step in steps() if step.after < BEFORE_THE_END):
        await begin(step, onward.world, onward.connection, clock)
        await happen(step, onward.world, onward.connection)


def _assert_as_it_went(picture: Picture) -> None:
    [dapp] = [lane for lane in picture.lanes if lane.label == "Domestic abuse perpetrator programme"]
    assert [span.label for span in dapp.spans] == ["Asked", "Accepted", "On the programme", "Paused", "Paused"]
    assert dapp.spans[-2].says[0] == "Paused: relapse, until Mon 25 Jan 2027"
    kinds = [mark.kind for mark in dapp.marks]
    assert (kinds.count(MarkKind.CHECK_DONE), kinds.count(MarkKind.CHECK_DUE)) == (2, 2)
    assert kinds.count(MarkKind.OFFER_DECLINED) == 1
    relapse = next(event for event in picture.events if event.says == "Relapse")
    assert "Domestic abuse perpetrator programme: pause offered" in relapse.effects
    assert relapse.reasons, "the rules' reasons are read"
    assert "Pause ends: resume, extend or close?" in [due.says for due in picture.dues]


def _assert_nothing_of_hers(ours: Picture, whole: Picture) -> None:
    theirs = [lane for lane in whole.lanes if lane.other_side]
    assert theirs
    secret = {word for lane in theirs for word in (lane.leg_id, lane.label)} | {"victim", "other side", "never for"}
    secret |= _words_of(json.loads(_referral().read_text())["data"]["victim"])
    for document in (standalone(ours), page(ours)):
        assert not [word for word in secret if word.casefold() in document.casefold()]
    assert [word for word in secret if word.casefold() in page(whole).casefold()], "ops see her leg"


def _referral() -> Path:
    return REPOSITORY / "schemas" / "examples" / "referral-assault-on-partner.json"


def _words_of(value: object) -> set[str]:
    """Every text in a value that is long enough to mean her alone."""
    if isinstance(value, dict):
        return {word for member in value.values() for word in _words_of(member)}
    if isinstance(value, list):
        return {word for member in value for word in _words_of(member)}
    return {value} if isinstance(value, str) and len(value) > 4 and value not in ("Example", "phone") else set()
