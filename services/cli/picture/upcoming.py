"""What is due next, and what came of each event, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from services.cli.picture.model import Due, Question
from services.cli.picture.records import CaseRows, CheckRow, Directory, LegRow, TimerRow
from services.cli.picture.words import Family, distance, due_label, family_of, local, plain, shown, status_label

TO_COME: Final = "planned"  # a check that falls due while the leg rests
PENDING: Final = frozenset({"due", "missed"})  # checks that somebody still has to make, also where the leg ended
NOT_YET_CONFIRMED: Final = frozenset({"requested", "sent"})


def check_words(check: CheckRow, now: datetime) -> str:
    """How a welfare check stands."""
    became = {"due": "late, not done" if check.due_at < now else "due"}.get(check.status, plain(check.status))
    if check.outcome:
        became += f", {plain(check.outcome)}"
    if check.at is not None:
        became += f", {local(check.at)}"
    if check.reason:
        became += f" ({check.reason})"
    return shown(became)


def dues_of(rows: CaseRows, labels: Mapping[str, str], questions: Sequence[Question], now: datetime) -> tuple[Due, ...]:
    """What somebody has to do, the earliest first. A promise about a leg that has moved on asks for nothing."""
    legs = {leg.id: leg for leg in rows.legs}
    found = []
    for check in rows.checks:
        leg = legs.get(check.leg_id)
        if leg is not None and (check.status in PENDING or (check.status == TO_COME and _rests(leg))):
            found.append(_due(check.due_at, due_label("welfare_check"), labels[check.leg_id], now))
    asking = [timer for timer in rows.timers if timer.leg_id in legs and _still_asks(timer, legs[timer.leg_id])]
    found += [_due(timer.due_at, due_label(timer.kind), labels[timer.leg_id or ""], now) for timer in asking]
    for question in questions:
        if question.answered_at is None:
            named = f"{question.name}, {question.about}" if question.about else question.name
            about = f"{question.role} ({named})"
            found.append(_due(question.due_at, question.says, about, now))
    return tuple(sorted(found, key=lambda due: (due.at, due.says)))


def _due(at: datetime, says: str, about: str, now: datetime) -> Due:
    return Due(at, says, about, distance(at, now), at < now)


def _rests(leg: LegRow) -> bool:
    return leg.closed_at is None and family_of(leg.status) is Family.PAUSED


def _still_asks(timer: TimerRow, leg: LegRow) -> bool:
    """Whether a timer's leg still stands where the timer meant it. Checks and questions are told by their own rows."""
    match timer.kind:
        case "welfare_check" | "review":
            return False
        case "acknowledgement":
            return leg.closed_at is None and leg.status in NOT_YET_CONFIRMED
        case "first_contact":
            return leg.closed_at is None and family_of(leg.status) in (Family.ASKED, Family.WAITING)
        case "check_escalation":
            return True
        case "pause_review":
            return _rests(leg)
        case _:
            return leg.closed_at is None


def effects_of(rows: CaseRows, labels: Mapping[str, str], directory: Directory) -> dict[str, list[str]]:
    """What came of each event, by its id: legs opened and moved, destinations told, pauses, questions."""
    found: dict[str, list[str]] = defaultdict(list)
    for move in rows.moves:
        label = labels.get(move.leg_id)
        if label is None:
            continue
        if move.from_status is None:
            found[move.event_id].append(f"{label}: opened")
        elif move.from_status != move.to_status:
            found[move.event_id].append(f"{label}: {status_label(move.to_status).lower()}")
    for sent in rows.sent:
        done = {"step_up": "asked to do more", "notify": "told"}.get(sent.action)
        if done and sent.leg_id in labels:
            found[sent.event_id].append(f"{labels[sent.leg_id]}: {done}")
    for offer in rows.offers:
        if offer.leg_id in labels:
            found[offer.event_id].append(f"{labels[offer.leg_id]}: pause offered")
    for question in rows.questions:
        about = f" about {directory.label(question.destination)}" if question.destination else ""
        found[question.event_id].append(f"asked the {plain(question.role)}{about}")
    return {event: [shown(effect) for effect in dict.fromkeys(effects)] for event, effects in found.items() if event}
