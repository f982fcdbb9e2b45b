"""What a picture says of a case: lanes, what is due, what came of each event, in plain English."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from schemas.vocabulary import LegStatus
from services.cli.picture.compose import compose
from services.cli.picture.model import Lane, MarkKind, Picture
from services.cli.picture.records import CaseRows, CheckRow, Directory
from services.cli.picture.words import (
    QUESTIONS,
    STATUSES,
    Family,
    distance,
    event_label,
    family_of,
    local,
    shown,
    status_label,
)
from services.ground.settings import Settings
from services.router.casework.steps import ReviewKind
from services.router.rules.events import EventKind
from services.router.rules.loader import load_rule_set
from tests.support.pictures import DIRECTORY, Making, moment, the_case, the_long_case


def draw(rows: CaseRows, now: datetime) -> Picture:
    return compose(rows, DIRECTORY, now, "ops")


def lane(picture: Picture, leg: str) -> Lane:
    return next(lane for lane in picture.lanes if lane.leg_id == leg)


CASE = draw(*the_case())
LONG = draw(*the_long_case())


def test_open_lanes_come_first_in_the_order_of_their_labels() -> None:
    assert [lane.label for lane in CASE.lanes] == [
        "Community mental health team",
        "Domestic abuse perpetrator programme",
        "Drug and alcohol service",
        "Men's support group",
        "Victim safety (independent domestic violence advisers)",
        "GP follow-up",
    ]
    assert [lane.is_open for lane in CASE.lanes] == [True] * 5 + [False]


def test_the_case_is_told_in_three_sentences_and_a_warning() -> None:
    assert CASE.warning == "Do not show to the person: contains the victim-safety leg"
    assert CASE.summary == (
        "5 legs open, 1 of them paused; 1 closed; 2 questions open, 2 of them late.",
        (
            "Late: Sat 2 Jan 2027, 09:00 (5 days late), duty worker (Q1, Residential rehabilitation): May this be "
            "referred to Residential rehabilitation? 3 things more are late."
        ),
        "Next: Mon 11 Jan 2027, 09:00 (in 4 days), Domestic abuse perpetrator programme: Welfare check.",
    )


def test_a_paused_leg_says_why_and_until_when_and_what_is_ahead_ends_there() -> None:
    programme = lane(CASE, "leg-dapp")
    assert (programme.status, programme.detail) == ("Paused", "relapse, until Mon 25 Jan 2027")
    *_, paused, ahead = programme.spans
    assert paused.says[0] == "Paused: relapse, until Mon 25 Jan 2027"
    assert (ahead.ahead, ahead.start, local(ahead.end)) == (True, CASE.now, "Mon 25 Jan 2027, 09:00")
    assert [span.family for span in programme.spans] == ["asked", "waiting", "active", "paused", "paused"]


def test_a_pause_that_should_have_ended_draws_nothing_ahead() -> None:
    rows, now = the_case()
    late = draw(rows, now + timedelta(weeks=4))
    assert not any(span.ahead for span in lane(late, "leg-dapp").spans)


def test_each_check_and_offer_is_a_mark_that_says_how_it_went() -> None:
    kinds = [mark.kind for mark in lane(CASE, "leg-dapp").marks]
    assert kinds.count(MarkKind.CHECK_DUE) == 3
    assert kinds.count(MarkKind.CHECK_MISSED) == 1
    assert kinds.count(MarkKind.OFFER_DECLINED) == 1
    assert {mark.kind for mark in lane(LONG, "leg-dapp").marks} >= {MarkKind.CHECK_DONE, MarkKind.OFFER_AGREED}


def test_a_check_of_a_status_that_is_not_known_is_drawn_all_the_same() -> None:
    rows, now = the_case()
    odd = CheckRow("check-9", "leg-dapp", now, "rearranged", reason="he is away")
    picture = draw(replace(rows, checks=(odd,)), now)
    [check] = [mark for mark in lane(picture, "leg-dapp").marks if mark.kind is MarkKind.CHECK_OFF]
    assert "rearranged (he is away)" in check.says


def test_a_closed_leg_says_when_and_why() -> None:
    closed = lane(CASE, "leg-gp_follow_up")
    assert closed.status == "Closed: complete"
    assert closed.detail == "Fri 1 Jan 2027, seen twice, nothing more needed"
    assert closed.spans[-1].says[0] == "Closed Fri 1 Jan 2027: complete (seen twice, nothing more needed)"


def test_a_reopened_leg_goes_on_in_its_own_lane() -> None:
    [again] = [lane for lane in LONG.lanes if lane.label.startswith("Mutual aid")]
    families = [span.family for span in again.spans]
    assert families == ["asked", "asked", "waiting", "active", "closed", "asked", "asked"]
    assert again.is_open
    assert again.spans[4].says[0].startswith("Closed Mon 3 Mar 2025: withdrawn (moved out of the area for work)")
    assert again.spans[4].end == again.spans[5].start


def test_a_step_up_changes_no_stretch() -> None:
    case = Making()
    event = case.event(moment(2026, 3, 2), "referral", "northshire-police")
    leg = case.leg(moment(2026, 3, 2), "dapp", event)
    case.move(moment(2026, 3, 4), leg, "requested", event, "stepped up")
    assert [span.ahead for span in draw(case.rows, moment(2026, 3, 9)).lanes[0].spans] == [False, True]


def test_a_leg_without_history_stands_where_it_is() -> None:
    rows, now = the_case()
    assert all(lane.spans for lane in draw(replace(rows, moves=()), now).lanes)


def test_events_are_numbered_as_they_happened_with_what_came_of_them() -> None:
    assert [event.number for event in CASE.events] == list(range(1, 15))
    relapse = next(event for event in CASE.events if event.says == "Relapse")
    assert relapse.source == "Domestic abuse perpetrator programme"
    assert relapse.effects == (
        "Drug and alcohol service: asked to do more",
        "Victim safety (independent domestic violence advisers): told",
        "Domestic abuse perpetrator programme: pause offered",
    )
    assert relapse.reasons == ("reason of relapse",)


def test_what_was_told_late_says_so_and_what_happened_long_ago_squeezes_nothing() -> None:
    case = Making()
    case.event(moment(2026, 3, 2), "referral", "northshire-police")
    case.event(moment(1998, 5, 1), "new_incident", "northshire-police")
    late = tuple(replace(event, taken_at=moment(2026, 3, 3)) for event in case.rows.events)
    picture = draw(replace(case.rows, events=late), moment(2026, 3, 9))
    assert picture.events[0].told_at == moment(2026, 3, 3)
    assert picture.start > moment(2026, 2, 1)


def test_a_promise_of_years_ahead_is_listed_and_squeezes_nothing() -> None:
    rows, now = the_case()
    case = Making()
    case.rows = rows
    case.timer(now + timedelta(days=3000), "snooze", leg="leg-dapp")
    picture = draw(case.rows, now)
    assert picture.end < now + timedelta(days=60)
    assert picture.dues[-1].says == "Look again"


def test_a_promise_about_a_leg_that_has_moved_on_asks_for_nothing() -> None:
    rows, now = the_case()
    case = Making()
    case.rows = replace(rows, timers=(), questions=(), checks=())
    case.timer(now, "acknowledgement", leg="leg-addiction_service")  # it is on the programme
    case.timer(now, "pause_review", leg="leg-mental_health_team")  # it is not paused
    case.timer(now, "first_contact", leg="leg-gp_follow_up")  # it is closed
    case.check(now + timedelta(days=1), "leg-addiction_service", "planned")
    picture = draw(case.rows, now)
    assert picture.dues == ()
    assert picture.summary[-1] == "Nothing is due."
    case.timer(now, "acknowledgement", leg="leg-mens_support_group")
    assert [due.about for due in draw(case.rows, now).dues] == ["Men's support group"]


def test_timers_that_fell_due_are_told_by_what_they_asked_and_counted() -> None:
    case = Making()
    case.event(moment(2026, 3, 2), "referral", "northshire-police")
    case.event(moment(2026, 3, 9), "timer_welfare_check", "onward-timers")
    case.event(moment(2026, 3, 9), "timer_acknowledgement", "onward-timers")
    picture = draw(case.rows, moment(2026, 3, 10))
    assert [event.says for event in picture.events] == ["Referral", "No receipt confirmed in time"]
    assert picture.unnumbered == 1


def test_now_is_never_before_what_is_on_record() -> None:
    rows, now = the_case()
    assert draw(rows, moment(2020, 1, 1)).now == max(event.taken_at for event in rows.events) < now


def test_nobody_yet_is_a_picture_too() -> None:
    picture = draw(CaseRows("person-2"), moment(2026, 3, 2))
    assert picture.summary == ("0 legs open.", "Nothing is due.")
    assert picture.start < picture.end


def test_a_destination_that_is_no_longer_in_the_rules_goes_by_its_name_and_counts_as_the_other_side() -> None:
    rows, now = the_case()
    unknown = compose(rows, Directory(), now, "ops")
    assert "Gp follow up" in [lane.label for lane in unknown.lanes]
    assert all(lane.other_side for lane in unknown.lanes)


@pytest.mark.parametrize("status", LegStatus)
def test_every_status_has_words_and_is_closed_where_casework_says_so(status: LegStatus) -> None:
    assert status in STATUSES
    pathway = load_rule_set(Settings().rules_dir).pathway
    if pathway.has(status):  # what only courts order is off in the rule set that ships
        assert (family_of(status) is Family.CLOSED) == pathway.statuses[status].closed


@pytest.mark.parametrize("kind", ReviewKind)
def test_every_question_has_words_of_ours(kind: ReviewKind) -> None:
    assert kind in QUESTIONS


def test_a_status_that_has_no_words_yet_is_open_and_goes_by_its_name() -> None:
    assert (family_of("on_the_moon"), status_label("on_the_moon")) == (Family.WAITING, "On the moon")


@pytest.mark.parametrize("kind", EventKind)
def test_every_event_is_told_in_words(kind: EventKind) -> None:
    assert "_" not in event_label(kind)
    assert event_label(kind)[0].isupper()


@pytest.mark.parametrize(
    ("away", "says"),
    [
        (timedelta(seconds=20), "now"),
        (timedelta(minutes=5), "in 5 minutes"),
        (timedelta(hours=-1), "1 hour late"),
        (timedelta(hours=26), "in 1 day"),
        (timedelta(hours=14), "in 14 hours"),
        (timedelta(days=-5), "5 days late"),
        (timedelta(days=90), "in 3 months"),
    ],
)
def test_how_far_off_is_said_as_people_say_it(away: timedelta, says: str) -> None:
    now = moment(2026, 3, 3, 9)
    assert distance(now + away, now) == says


def test_times_are_those_of_london_in_summer_too() -> None:
    assert local(moment(2026, 7, 3, 23, 30)) == "Sat 4 Jul 2026, 00:30"
    assert local(moment(2026, 3, 3)) == "Tue 3 Mar 2026, 09:00"


def test_nothing_in_a_text_steers_a_terminal_or_turns_text_round() -> None:
    assert shown("a\x1b[31m\u202eb\u2066\x00\n c\x85\ud800") == "a\ufffd[31m\ufffdb\ufffd\ufffd  c\ufffd\ufffd"
    assert shown("\u05e9\u05dc\u05d5\u05dd") == "\u05e9\u05dc\u05d5\u05dd", "a language is no attack"
