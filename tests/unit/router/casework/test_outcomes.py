"""What the source of a referral hears, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.vocabulary import LegOutcome, LegStatus, ProgressKind
from services.router.casework.outcomes import may_hear, outcome_of
from services.router.casework.pathway import put
from services.router.casework.steps import LegMoved
from tests.unit.router.casework.news import LEG, NOW, case_at, leg_at, pathway, progress, rules, take

S = LegStatus


def _outcome(*way: LegStatus, of: str = "dapp") -> LegOutcome | None:
    """What the last step of this way is to whoever referred."""
    before = leg_at(way[0])
    for status in way[1:-1]:
        before = put(pathway(), before, status, now=NOW)
    moved = LegMoved(before, put(pathway(), before, way[-1], now=NOW), "So.")
    return outcome_of(moved, pathway(), rules().destinations[of])


@pytest.mark.parametrize(
    ("way", "heard"),
    [
        ((S.REQUESTED, S.ACKNOWLEDGED), None),
        ((S.REQUESTED, S.ACCEPTED), LegOutcome.ACCEPTED),
        ((S.ACCEPTED, S.WAITLISTED), LegOutcome.WAITLISTED),
        ((S.ACCEPTED, S.ON_PROGRAMME), LegOutcome.STARTED),
        ((S.SENT, S.DECLINED), LegOutcome.DECLINED),
        ((S.SENT, S.NO_CAPACITY), LegOutcome.NO_CAPACITY),
        ((S.ON_PROGRAMME, S.PROGRAMME_COMPLETE), LegOutcome.COMPLETED),
        ((S.ON_PROGRAMME, S.WITHDRAWN), LegOutcome.CLOSED),
        ((S.ON_PROGRAMME, S.DESELECTED), LegOutcome.CLOSED),
        ((S.DESELECTED, S.NOT_SUITABLE), None),
        ((S.ON_PROGRAMME, S.WITHDRAWN, S.REQUESTED), LegOutcome.REOPENED),
        ((S.ON_PROGRAMME, S.ON_HOLD, S.WITHDRAWN), LegOutcome.CLOSED),
    ],
)
def test_a_source_hears_of(way: tuple[LegStatus, ...], heard: LegOutcome | None) -> None:
    assert _outcome(*way) is heard


@pytest.mark.parametrize("status", [S.ACCEPTED, S.WAITLISTED, S.ON_PROGRAMME])
def test_a_pause_and_its_end_are_never_heard_of(status: LegStatus) -> None:
    assert _outcome(status, S.ON_HOLD) is None
    assert _outcome(status, S.ON_HOLD, status) is None


def test_stepping_up_is_no_outcome() -> None:
    leg = leg_at(S.ON_PROGRAMME)
    assert outcome_of(LegMoved(leg, leg._replace(priority=1), "stepped up"), pathway()) is None


@pytest.mark.parametrize("name", [d.id for d in rules().destinations.values() if d.side == "other_party"])
def test_of_the_other_partys_legs_their_own_source_alone_hears(name: str) -> None:
    destination = rules().destinations[name]
    sources = {"met-police", *(d.source for d in rules().destinations.values())}
    known = rules().destinations
    assert [source for source in sources if may_hear(source, destination, known)] == [destination.source]


@pytest.mark.parametrize("name", [d.id for d in rules().destinations.values() if d.side == "panel"])
def test_that_a_panel_speaks_of_him_no_service_that_he_goes_to_hears(name: str) -> None:
    known = rules().destinations
    heard = {source for source in {d.source for d in known.values()} if may_hear(source, known[name], known)}
    assert not heard & {d.source for d in known.values() if d.side == "person"}
    assert may_hear("met-police", known[name], known)


def test_of_a_destination_that_is_no_more_nobody_hears() -> None:
    assert not may_hear("met-police", None, rules().destinations)


def test_of_one_that_tells_nothing_its_own_source_does_not_hear_either() -> None:
    silent = replace(rules().destinations["dapp"], source_hears="nothing")
    assert not may_hear("met-police", silent, rules().destinations)


@pytest.mark.parametrize(
    ("way", "heard"),
    [
        ((S.REQUESTED, S.ACCEPTED), LegOutcome.ACCEPTED),
        ((S.REQUESTED, S.ON_PROGRAMME), LegOutcome.ACCEPTED),
        ((S.SENT, S.WAITLISTED), LegOutcome.WAITLISTED),
        ((S.WAITLISTED, S.ON_PROGRAMME), LegOutcome.ACCEPTED),
        ((S.SENT, S.DECLINED), LegOutcome.DECLINED),
        ((S.SENT, S.NO_CAPACITY), LegOutcome.NO_CAPACITY),
        ((S.SENT, S.WITHDRAWN), LegOutcome.CLOSED),
        ((S.DECLINED, S.REQUESTED), LegOutcome.REOPENED),
        ((S.ACCEPTED, S.ON_PROGRAMME), None),
        ((S.ACCEPTED, S.WAITLISTED), None),
        ((S.ON_PROGRAMME, S.PROGRAMME_COMPLETE), None),
        ((S.ON_PROGRAMME, S.WITHDRAWN), None),
        ((S.WITHDRAWN, S.REQUESTED), None),
        ((S.ON_PROGRAMME, S.ON_HOLD, S.WITHDRAWN), None),
        ((S.AWAITING_ALLOCATION, S.WITHDRAWN), None),
    ],
)
def test_of_treatment_a_source_hears_whether_he_was_taken_on_and_no_more(
    way: tuple[LegStatus, ...], heard: LegOutcome | None
) -> None:
    assert _outcome(*way, of="addiction_service") is heard


def test_treatment_that_was_begun_is_remembered_wherever_the_leg_stands_now() -> None:
    case = case_at(S.REQUESTED)
    take(case, progress(ProgressKind.ACCEPTED, hours=1))
    take(case, progress(ProgressKind.ADDITIONAL_ASSESSMENT, hours=2))
    before = case.legs[LEG]
    assert before.status is S.AWAITING_ASSESSMENT
    moved = LegMoved(before, put(pathway(), before, S.WITHDRAWN, now=NOW), "So.")
    assert outcome_of(moved, pathway(), rules().destinations["addiction_service"]) is None


def test_every_service_that_treats_him_tells_its_answer_alone() -> None:
    treats = {d.id: d.source_hears for d in rules().destinations.values() if d.kind in ("treatment", "health")}
    assert set(treats.values()) == {"answer"}
