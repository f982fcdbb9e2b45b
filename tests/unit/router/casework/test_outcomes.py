"""What the source of a referral hears, and what it does not."""

from __future__ import annotations

import pytest

from schemas.vocabulary import LegOutcome, LegStatus
from services.router.casework.outcomes import may_hear, outcome_of
from services.router.casework.pathway import put
from services.router.casework.steps import LegMoved
from tests.unit.router.casework.news import NOW, leg_at, pathway, rules

S = LegStatus


def _outcome(*way: LegStatus) -> LegOutcome | None:
    """What the last step of this way is to whoever referred."""
    before = leg_at(way[0])
    for status in way[1:-1]:
        before = put(pathway(), before, status, now=NOW)
    return outcome_of(LegMoved(before, put(pathway(), before, way[-1], now=NOW), "So."), pathway())


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
    assert [source for source in sources if may_hear(source, destination)] == [destination.source]


def test_of_a_destination_that_is_no_more_nobody_hears() -> None:
    assert not may_hear("met-police", None)
