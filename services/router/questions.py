"""Reads what humans were asked, and the events behind it, for the decisions of a batch that answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import select

from schemas.human import HumanDecision
from schemas.progress import ProgressReported
from schemas.reading import fit
from services.ground.sql import select_in
from services.ground.work import Work
from services.router import store
from services.router.casework.act import NOT_KNOWN
from services.router.casework.again import Original
from services.router.casework.case import Case
from services.router.casework.late import RISKS
from services.router.casework.reviews import Review, WaitingRoute
from services.router.casework.steps import ReviewKind
from services.router.rules.decision import Reason, RouteDecided, plain
from services.router.rules.due import Due
from services.router.rules.events import CaseEvent, EventKind, payload_of
from services.router.rules.language import Json, Priority

_review, _event, _decision = store.reviews.c, store.case_events.c, store.decisions.c
_NAMED = select(store.reviews)
_FACTS_ANSWERED = select(_review.id, _review.event_id, _review.fact, _review.answer).where(
    _review.kind == ReviewKind.FACT.value, _review.answered_at.is_not(None)
)
_EVENTS = select(store.case_events)
_EVENT_IDS = select(_event.event_id)
_DECISIONS = select(_decision.id, _decision.event_id, _decision.said, _decision.first_decision).order_by(_decision.id)


def load_decided(since: Mapping[str, tuple[Case, datetime]], work: Work) -> dict[str, dict[str, Original]]:
    """What happened to these persons after these moments and was decided already: by person and event."""
    found: dict[str, dict[str, Original]] = {}
    for person, (case, moment) in sorted(since.items()):
        whose = _event.person_id.in_([case.person_id, *case.joined])
        after = _EVENT_IDS.where(whose, _event.occurred_at > moment, _event.kind.in_(sorted(RISKS)))
        asked = dict.fromkeys((str(id_) for id_ in work.connection.execute(after).scalars()), case)
        found[person] = _originals(asked, work)
    return found


def load_questions(decided: Sequence[tuple[Case, HumanDecision]], work: Work) -> dict[str, Original]:
    """Give these cases the questions that are named, answered or not. Returns the events behind those."""
    if not decided:
        return {}
    cases = {person: case for case, _ in decided for person in (case.person_id, *case.joined)}
    named = sorted({human.review_id for _, human in decided if human.review_id is not None})
    by_id = select_in(work.connection, _NAMED, (_review.id,), [(id_,) for id_ in named])
    for row in by_id:
        case = cases.get(str(row["person_id"]))
        if case is not None:
            case.reviews[str(row["id"])] = review_of(row)
    asked = {str(r["event_id"]): cases[str(r["person_id"])] for r in by_id if str(r["person_id"]) in cases}
    return _originals(asked, work)


def _originals(asked: Mapping[str, Case], work: Work) -> dict[str, Original]:
    keys = [(event_id,) for event_id in sorted(asked)]
    found: dict[str, Original] = {}
    for row in select_in(work.connection, _EVENTS, (_event.event_id,), keys):
        id_ = str(row["event_id"])
        found[id_] = Original(id_, case_event_of(row, asked[id_]), None, str(row["source"]))
    for row in select_in(work.connection, _DECISIONS, (_decision.event_id,), keys):
        original = found[str(row["event_id"])]
        original.done.add(cast("Mapping[str, Json]", row["said"]))
        if row["first_decision"] is None:
            original.first_decision = str(row["id"])
    for row in select_in(work.connection, _FACTS_ANSWERED, (_review.event_id,), keys):
        if row["answer"] != NOT_KNOWN and str(row["event_id"]) in found:
            found[str(row["event_id"])].answers[str(row["fact"])] = str(row["answer"])
    return found


def case_event_of(row: Mapping[str, object], case: Case) -> CaseEvent:
    """An event that was taken before, as it was decided on. It was checked when it came in."""
    kind = EventKind(str(row["kind"]))
    payload = fit(cast(bytes, row["content"]), payload_of(kind), extra="ignore")
    taken_at, occurred_at = cast(datetime, row["taken_at"]), cast(datetime, row["occurred_at"])
    leg = case.legs.get(payload.leg_id) if isinstance(payload, ProgressReported) else None
    return CaseEvent(kind, payload, occurred_at, taken_at, leg.destination if leg else None)


def route_to_keep(waiting: WaitingRoute) -> dict[str, object]:
    """A waiting route as plain JSON."""
    said = plain(waiting.route)
    assert isinstance(said, dict)
    beside = {"due_at": waiting.due_at.isoformat(), "comes_back_on_her": waiting.comes_back_on_her}
    return {**said, **beside, "told_in": list(waiting.told_in)}


def _route(kept: object) -> WaitingRoute | None:
    if kept is None:
        return None
    said = cast("dict[str, object]", kept)
    due = Due(**cast("dict[str, int]", said["due"]))
    reasons = tuple(Reason(r["rule"], r["because"]) for r in cast("Iterable[dict[str, str]]", said["reasons"]))
    route = RouteDecided(
        str(said["destination"]),
        cast("Priority", said["priority"]),
        due,
        "floor" if said["tier"] == "floor" else "ordinary",
        "human" if said["confirm"] else None,
        reasons,
    )
    told_in = tuple(cast("Iterable[str]", said.get("told_in", ())))
    return WaitingRoute(
        route, datetime.fromisoformat(str(said["due_at"])), bool(said.get("comes_back_on_her")), told_in
    )


def review_of(row: Mapping[str, object]) -> Review:
    """A question, as it was kept."""

    def text(name: str) -> str | None:
        return str(row[name]) if row[name] is not None else None

    return Review(
        id=str(row["id"]),
        kind=ReviewKind(str(row["kind"])),
        question=str(row["question"]),
        role=str(row["role"]),
        due_at=cast(datetime, row["due_at"]),
        event_id=str(row["event_id"]),
        decision_id=text("decision_id"),
        leg_id=text("leg_id"),
        fact=text("fact"),
        destination=text("destination"),
        perhaps=tuple(cast("Sequence[str]", row["perhaps"] or ())),
        answers=tuple(cast("Sequence[str]", row["answers"] or ())),
        waiting=_route(row["route"]),
        answered=row["answered_at"] is not None,
        put_at=cast(datetime, row["moved_at"] or row["asked_at"]),
        person_id=str(row["person_id"]),
    )
