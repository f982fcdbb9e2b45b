"""What a human is told to type for each question: it parses, and it is what their decision is."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from schemas.vocabulary import DecisionKind, LegStatus
from services.cli.deciding import exit_code
from services.cli.telling import sentence
from services.cli.ways import Way, ways_on, ways_to_answer
from services.cli.work import app
from services.router.casework.human import ANSWERED_BY
from services.router.casework.steps import ReviewKind

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
REVIEW = "01938f00-0000-7000-8000-0000000e0001"
LEG = "01938f00-0000-7000-8000-0000000e1001"
OTHER = "01938f00-0000-7000-8000-0000000e1002"
WHO = ("--by", "a.jones", "--role", "facilitator", "--organisation", "Northshire hub")
OFFERED = {
    ReviewKind.OFFER_LAPSED: ["agree", "decline"],
    ReviewKind.PAUSE_END: ["resume", "extend", "close"],
    ReviewKind.UNTIMED_HOLD: ["resume", "extend", "close"],
    ReviewKind.WELFARE_CHECK: ["well", "concern", "not_reached", "refused"],
    ReviewKind.FACT: ["partner", "sibling", "not_known"],
    ReviewKind.CONFIRM_ROUTE: ["confirm", "refuse"],
}


def _leg(**changes: object) -> dict[str, Any]:
    beside = {"id": OTHER, "destination": "other_dapp", "closed_at": None, "reroute_of": LEG, "joined_to": None}
    return {
        "id": LEG, "destination": "dapp", "status": LegStatus.ON_PROGRAMME, "closed_at": None, "concluded_at": None,
        "offer": None, "pause": None, "checks": [], "beside": [beside], "reroute_of": None, "joined_to": None,
        **changes,
    }  # fmt: skip


def _review(kind: ReviewKind, **changes: object) -> dict[str, Any]:
    offered = OFFERED.get(kind)
    fact = "relationship" if kind is ReviewKind.FACT else None
    return {"id": REVIEW, "kind": kind, "answers": offered, "fact": fact, "route": None, "perhaps": None, **changes}


def _parsed(way: Way) -> tuple[str, dict[str, Any]]:
    """The command and what its options say, as the real command line reads them."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    words = [*way.words, *WHO, "--because", "WHY"]
    return words[0], group.commands[words[0]].make_context(words[0], words[1:]).params


@pytest.mark.parametrize("kind", list(ReviewKind))
def test_every_kind_of_question_has_ways_that_the_command_line_takes(kind: ReviewKind) -> None:
    leg = None if kind in (ReviewKind.FACT, ReviewKind.LINK) else _leg()
    perhaps = ["somebody"] if kind is ReviewKind.LINK else None
    found = ways_to_answer(_review(kind, perhaps=perhaps), leg)
    assert len(found) > 1
    for way in found:
        _, said = _parsed(way)
        assert said["because"] == "WHY"
    assert _parsed(found[-1])[1]["snooze_until"] == "DAY"


@pytest.mark.parametrize("kind", list(ANSWERED_BY))
def test_no_way_is_told_that_the_router_would_refuse_for_its_kind(kind: ReviewKind) -> None:
    told = [_parsed(way) for way in ways_to_answer(_review(kind), _leg(checks=[{}], status=LegStatus.ON_HOLD))]
    decided = {said["kind"] for command, said in told if command == "decide"}
    assert decided <= {each.value for each in ANSWERED_BY[kind]}


def test_each_answer_that_is_offered_is_told_with_what_it_needs() -> None:
    by_answer = {
        said["answer"]: said for _, said in map(_parsed, ways_to_answer(_review(ReviewKind.PAUSE_END), _leg()))
    }
    assert (by_answer["extend"]["on"], by_answer["close"]["reason_code"]) == ("DAY", "CODE")
    assert by_answer["resume"]["on"] is None


def test_a_safety_rules_route_is_never_told_to_be_refused() -> None:
    for tier, ways in (("floor", 1), ("ordinary", 2)):
        told = [_parsed(w)[1] for w in ways_to_answer(_review(ReviewKind.CONFIRM_ROUTE, route={"tier": tier}), None)]
        assert sum(said["confirm"] or said["refuse"] for said in told) == ways


@pytest.mark.parametrize(
    ("leg", "can"),
    [
        ({}, {"close_leg", "correct_status"}),
        ({"offer": {"answer": None}}, {"agree_offer", "decline_offer", "close_leg", "correct_status"}),
        (
            {"status": LegStatus.ON_HOLD, "pause": {"until_date": date(2026, 12, 1)}, "checks": [{}]},
            {"resume_leg", "extend_pause", "shorten_pause", "record_check", "reschedule_check", "mute_checks",
             "close_leg", "correct_status"},
        ),
        ({"status": LegStatus.DEFERRED}, {"resume_leg", "extend_pause", "close_leg", "correct_status"}),
        ({"closed_at": NOW}, {"reopen_leg", "close_leg", "correct_status"}),
        ({"closed_at": NOW, "concluded_at": NOW}, {"reopen_leg", "correct_status"}),
    ],
)  # fmt: skip
def test_what_can_be_decided_on_a_leg_is_what_it_allows(leg: dict[str, Any], can: set[str]) -> None:
    assert {_parsed(way)[1]["kind"] for way in ways_on(_leg(**leg))} == can
    assert can <= {kind.value for kind in DecisionKind}


def test_of_two_legs_either_can_be_closed_and_a_closed_one_is_not_told() -> None:
    told = [way for way in ways_to_answer(_review(ReviewKind.WHICH_LEG), _leg()) if way.words[0] == "decide"]
    assert [way.says for way in told] == ["close dapp", "close other_dapp"]
    assert all(re.search("--review 000e0001", way.typed(())) for way in told)
    gone = _leg(closed_at=NOW)
    told = [way for way in ways_to_answer(_review(ReviewKind.WHICH_LEG), gone) if way.words[0] == "decide"]
    assert [way.says for way in told] == ["close other_dapp"]


@pytest.mark.parametrize(
    ("place", "message", "says"),
    [
        ("/data/review_id", "was answered already", "the question was answered already."),
        ("/data/on", "must be after today", "--on must be after today."),
        ("/data/kind", "the leg is not paused", "the leg is not paused."),
        (
            "/data/decided_by/role",
            "this is for safeguarding_lead to decide",
            "this is for safeguarding_lead to decide.",
        ),
    ],
)
def test_a_refusal_is_a_sentence_about_what_was_typed(place: str, message: str, says: str) -> None:
    assert sentence({"place": place, "message": message}) == says


def test_scripts_tell_taken_refused_and_not_known_yet_apart() -> None:
    assert [exit_code(outcome) for outcome in ("taken", "refused", "conflict", "accepted", "sent", "stored")] == [
        0, 1, 1, 3, 3, 3,
    ]  # fmt: skip
