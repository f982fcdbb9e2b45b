"""Of several legs, of what happens and of what humans decide: what commutes comes to the same in any order.

What conflicts comes to a human. Everything goes through what the router calls for each event; repeats are the inbox's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from schemas.base import LegId
from schemas.human import DecidedBy, HumanDecision
from schemas.person import PersonRef
from schemas.progress import Pause, ProgressReported
from schemas.refusal import Unacceptable
from schemas.risk import RiskReported
from schemas.vocabulary import DecisionKind, LegStatus, PauseParty, PauseReason, ProgressKind, RiskKind, TimerKind
from services.router.casework.case import Leg
from services.router.casework.pathway import put
from services.router.casework.resting import RESTING, Timer
from services.router.casework.steps import Effect, LegMoved, LegNoted, ReviewKind
from services.router.rules.events import Reported
from tests.unit.router.casework.resting_world import DAPP, LEGS, World, rules

MONDAY = datetime(2026, 3, 2, 6, tzinfo=UTC)
TOLD_OF = ("dapp", "addiction_service")
KINDS = (
    ProgressKind.ACCEPTED,
    ProgressKind.STARTED,
    ProgressKind.ATTENDED,
    ProgressKind.MISSED,
    ProgressKind.PAUSE_AGREED,
    ProgressKind.RESUMED,
    ProgressKind.COMPLETED,
    ProgressKind.CLOSED,
)
HARM = (RiskKind.RELAPSE, RiskKind.NEW_INCIDENT, RiskKind.MISSED_SESSION)
RISKS = (RiskKind.RELAPSE, RiskKind.LOW_MOOD, RiskKind.NEW_INCIDENT, RiskKind.MISSED_SESSION, RiskKind.DISENGAGED)


class News(NamedTuple):
    """Something that is told once, or again, under one id."""

    id: str
    data: Reported
    source: str

    @property
    def at(self) -> datetime:
        """When it happened."""
        if isinstance(self.data, HumanDecision):
            return self.data.decided_at
        assert isinstance(self.data, ProgressReported | RiskReported)
        return self.data.occurred_at

    def about(self, leg: str) -> bool:
        """Whether it tells where this leg stands."""
        return isinstance(self.data, ProgressReported | HumanDecision) and self.data.leg_id == LEGS[leg]


def _progress(number: int, leg: str, kind: ProgressKind, minutes: int) -> News:
    more: dict[str, Any] = {"reason": "So it was agreed."}
    if kind is ProgressKind.PAUSE_AGREED:
        days = {"from_date": date(2026, 3, 2), "until_date": date(2026, 3, 30)}
        more["pause"] = Pause(reason=PauseReason.RELAPSE, agreed_by=frozenset(PauseParty), **days)
    at = MONDAY + timedelta(minutes=minutes)
    data = ProgressReported(leg_id=LegId(LEGS[leg]), kind=kind, occurred_at=at, **more)
    return News(f"01938f00-0000-7000-9000-{number:012x}", data, rules().destinations[leg].source)


def _risk(number: int, kind: RiskKind, minutes: int) -> News:
    about = PersonRef(leg_id=LegId(DAPP))
    data = RiskReported(about=about, kind=kind, occurred_at=MONDAY + timedelta(minutes=minutes))
    return News(f"01938f00-0000-7000-9000-{number:012x}", data, "a-source")


def _human(number: int, kind: DecisionKind, minutes: int, *, leg: str = "dapp", **more: Any) -> News:
    by = DecidedBy(user="fay", role="case_manager", organisation="northshire")
    at = MONDAY + timedelta(minutes=minutes)
    data = HumanDecision(kind=kind, decided_by=by, decided_at=at, reason="So.", leg_id=LegId(LEGS[leg]), **more)
    return News(f"01938f00-0000-7000-9000-{number:012x}", data, "console")


class Told(NamedTuple):
    """What became of it all."""

    world: World
    went: bool  # every word was taken, and none was a conflict


def _tell(news: Iterable[News], *, hurried: bool = False) -> Told:
    """Each is taken a minute after the last one, or where `hurried` when it happened, if that is later."""
    world = World(MONDAY)
    for name in TOLD_OF:
        leg = world.case.legs[LEGS[name]]
        world.case.legs[leg.id] = put(rules().pathway, leg, LegStatus.REQUESTED, now=MONDAY)._replace(account=None)
        watch = Timer(world.id(), TimerKind.ACKNOWLEDGEMENT, MONDAY + timedelta(days=9), leg_id=leg.id)
        world.case.timers[watch.id] = watch
    world.now = MONDAY + (timedelta() if hurried else timedelta(days=1))
    seen: set[str] = set()
    went = True
    for each in news:
        if each.id in seen:
            continue  # as the inbox has it
        seen.add(each.id)
        world.now = max(world.now + timedelta(seconds=1), each.at)
        try:
            steps = world.take(each.data, each.source, event_id=each.id)
        except Unacceptable:
            went = False
            seen.discard(each.id)  # it may be told again
            continue
        effects = [step.effect for step in steps if isinstance(step, LegMoved | LegNoted)]
        went = went and Effect.CONFLICT not in effects
    return Told(world, went)


def _stands(world: World) -> dict[str, object]:
    return {name: (_leg(world, name).stand, _leg(world, name).stage) for name in TOLD_OF}


def _leg(world: World, name: str) -> Leg:
    return world.case.legs[LEGS[name]]


def _parts_go(news: list[News], leg: str) -> bool:
    """Whether any part of what is told of a leg, in the order of occurrence, is taken: then any first part is."""
    told = [each for each in news if each.about(leg)]
    for chosen in range(1, 2 ** len(told)):
        part = [each for place, each in enumerate(told) if chosen >> place & 1]
        if not _tell(part).went:
            return False
    return True


@st.composite
def _news(draw: st.DrawFn) -> list[News]:
    """Up to four words of each leg and some things that happen, in the order in which they happened."""
    found: list[News] = []
    for minute in sorted(draw(st.lists(st.integers(0, 600), min_size=2, max_size=8, unique=True))):
        number = len(found) + 1
        if draw(st.booleans()):
            found.append(_risk(number, draw(st.sampled_from(RISKS)), minute))
        else:
            leg = draw(st.sampled_from(TOLD_OF))
            if sum(each.about(leg) for each in found) < 4:
                found.append(_progress(number, leg, draw(st.sampled_from(KINDS)), minute))
    return found


def _order(data: st.DataObject, news: list[News]) -> list[News]:
    again = data.draw(st.lists(st.sampled_from(news), max_size=3)) if news else []
    return data.draw(st.permutations([*news, *again]))


@settings(max_examples=150)
@given(_news(), st.data())
def test_several_legs_stand_where_they_should_whatever_happens_in_between_and_in_whatever_order(
    news: list[News], data: st.DataObject
) -> None:
    assume(all(_parts_go(news, leg) for leg in TOLD_OF))
    expected = _tell(news).world
    told = _tell(_order(data, news))
    assert told.went
    assert _stands(told.world) == _stands(expected)


@settings(max_examples=150)
@given(_news(), st.data())
def test_each_thing_that_happens_is_decided_and_victim_safety_hears_the_same_of_it_in_any_order(
    news: list[News], data: st.DataObject
) -> None:
    def heard(world: World) -> int:
        return world.case.legs[LEGS["victim_safety"]].commands

    # What low mood and drifting away come to hangs on what else is known then; harm is told whatever is known.
    harm = [each for each in news if isinstance(each.data, RiskReported) and each.data.kind in HARM]
    assert heard(_tell(_order(data, harm)).world) == heard(_tell(harm).world) >= 1 + len(harm)


TALE = [
    _progress(1, "dapp", ProgressKind.ACCEPTED, 1),
    _progress(2, "dapp", ProgressKind.STARTED, 2),
    _risk(3, RiskKind.RELAPSE, 3),
    _progress(4, "addiction_service", ProgressKind.STARTED, 4),
]


@settings(max_examples=100)
@given(st.permutations(TALE), st.data())
def test_a_relapse_on_the_programme_is_offered_a_pause_in_any_order(order: list[News], data: st.DataObject) -> None:
    world = _tell(_order(data, order)).world
    [offer] = world.offers
    assert (offer.leg_id, offer.event_id) == (DAPP, TALE[2].id)
    assert world.case.open_leg("gp_follow_up") is not None


@settings(max_examples=150)
@given(_news(), st.data())
def test_a_relapse_that_found_him_on_the_programme_is_met_or_somebody_is_asked(
    news: list[News], data: st.DataObject
) -> None:
    assume(all(_parts_go(news, leg) for leg in TOLD_OF))
    world = _tell(_order(data, news)).world
    for place, each in enumerate(news):
        if isinstance(each.data, RiskReported) and each.data.kind is RiskKind.RELAPSE:
            before = _leg(_tell(news[:place]).world, "dapp")
            if before.status is LegStatus.ON_PROGRAMME:
                now = _leg(world, "dapp")
                offered = any(offer.event_id == each.id for offer in world.case.offers.values())
                asked = any(review.event_id == each.id for review in world.case.reviews.values())
                assert offered or asked or now.closed or now.status in RESTING, each


PLACED = (LegStatus.ON_PROGRAMME, LegStatus.WAITLISTED, LegStatus.WITHDRAWN, LegStatus.DEFERRED)


@settings(max_examples=200)
@given(_news(), st.sampled_from(PLACED), st.integers(0, 600), st.data())
def test_what_a_human_placed_is_moved_by_nothing_that_happened_before_or_a_human_is_asked(
    news: list[News], status: LegStatus, minute: int, data: st.DataObject
) -> None:
    before = [each for each in news if each.at <= MONDAY + timedelta(minutes=minute)]
    early = data.draw(st.integers(0, len(before)))
    decided = _human(99, DecisionKind.CORRECT_STATUS, 601, status=status)
    order = [*before[:early], decided, *data.draw(st.permutations(before[early:]))]
    told = _tell(order, hurried=True)
    leg = _leg(told.world, "dapp")
    placed = [row for row in told.world.steps if isinstance(row, LegMoved) and row.effect is Effect.CORRECTED]
    if placed:
        assert leg.status is status
    late = [each for each in before[early:] if each.about("dapp")]
    grave = {ProgressKind.COMPLETED, ProgressKind.CLOSED}
    ends = [each for each in late if isinstance(each.data, ProgressReported) and each.data.kind in grave]
    if placed and ends and not leg.closed:
        assert told.world.reviews(ReviewKind.CONFLICT), "that it had ended is put to a human"


@given(st.permutations([*TALE, _human(98, DecisionKind.CLOSE_LEG, 5, leg="mental_health_team", reason_code="health")]))
@example(TALE)
def test_what_a_human_decides_of_another_leg_commutes_with_all_of_it(order: list[News]) -> None:
    world = _tell(order).world
    assert _stands(world) == _stands(_tell(TALE).world)
    closed = world.case.legs[LEGS["mental_health_team"]].closed
    assert closed is any(isinstance(each.data, HumanDecision) for each in order)
