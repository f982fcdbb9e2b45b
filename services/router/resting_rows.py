"""Offers, pauses, welfare checks and timers as rows, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import cast

from schemas.vocabulary import LegStatus, PauseReason, TimerKind, WelfareOutcome
from services.ground.bulk import Row
from services.ground.work import Work
from services.router.casework.resting import CheckStatus, Offer, OfferAnswer, Pause, Timer, WelfareCheck
from services.router.store import welfare_checks

# What of a row can change once it is there.
OFFER_CHANGES = ["answer", "answered_at", "answered_by", "review_id"]
PAUSE_CHANGES = ["reason", "from_date", "until_date", "stated", "muted_until", "review_id", "ended_at", "ended"]
CHECK_CHANGES = ["status", "next_at", "escalated_to", "asked", "missed_at", "outcome", "by_whom", "at", "reason"]


def offer_row(offer: Offer) -> Row:
    """An offer, to be kept."""
    return {
        "id": offer.id,
        "leg_id": offer.leg_id,
        "offered_at": offer.offered_at,
        "answer_by": offer.answer_by,
        "for_days": offer.for_days,
        "welfare_check_days": offer.welfare_check_days,
        "reason": offer.reason.value,
        "event_id": offer.event_id,
        "replaces": offer.replaces,
        "answer": offer.answer.value if offer.answer else None,
        "answered_at": offer.answered_at,
        "answered_by": offer.answered_by,
        "review_id": offer.review_id,
    }


def offer_of(row: Mapping[str, object]) -> Offer:
    """An offer, as it was kept."""
    answer = _text(row, "answer")
    return Offer(
        id=str(row["id"]),
        leg_id=str(row["leg_id"]),
        offered_at=cast(datetime, row["offered_at"]),
        answer_by=cast(datetime, row["answer_by"]),
        for_days=cast(int, row["for_days"]),
        welfare_check_days=cast(int, row["welfare_check_days"]),
        reason=PauseReason(str(row["reason"])),
        event_id=str(row["event_id"]),
        replaces=_text(row, "replaces"),
        answer=OfferAnswer(answer) if answer else None,
        answered_at=cast("datetime | None", row["answered_at"]),
        answered_by=_text(row, "answered_by"),
        review_id=_text(row, "review_id"),
    )


def pause_row(pause: Pause) -> Row:
    """A pause, to be kept."""
    return {
        "id": pause.id,
        "leg_id": pause.leg_id,
        "reason": pause.reason.value,
        "from_date": pause.from_date,
        "until_date": pause.until_date,
        "welfare_check_days": pause.welfare_check_days,
        "held_from": pause.held_from.value,
        "agreed_at": pause.agreed_at,
        "event_id": pause.event_id,
        "stated": pause.stated,
        "muted_until": pause.muted_until,
        "review_id": pause.review_id,
        "ended_at": pause.ended_at,
        "ended": pause.ended,
    }


def pause_of(row: Mapping[str, object]) -> Pause:
    """A pause, as it was kept."""
    return Pause(
        id=str(row["id"]),
        leg_id=str(row["leg_id"]),
        reason=PauseReason(str(row["reason"])),
        from_date=cast(date, row["from_date"]),
        until_date=cast(date, row["until_date"]),
        welfare_check_days=cast(int, row["welfare_check_days"]),
        held_from=LegStatus(str(row["held_from"])),
        agreed_at=cast(datetime, row["agreed_at"]),
        event_id=str(row["event_id"]),
        stated=bool(row["stated"]),
        muted_until=cast("date | None", row["muted_until"]),
        review_id=_text(row, "review_id"),
        ended_at=cast("datetime | None", row["ended_at"]),
        ended=_text(row, "ended"),
    )


def check_row(check: WelfareCheck, person_id: str, work: Work) -> Row:
    """A welfare check of a person's leg, to be kept."""
    column = welfare_checks.c
    return {
        "id": check.id,
        "leg_id": check.leg_id,
        "pause_id": check.pause_id,
        "due_on": check.due_on,
        "due_at": check.due_at,
        "status": check.status.value,
        "next_at": check.next_at,
        "escalated_to": check.escalated_to,
        "asked": list(check.asked),
        "missed_at": check.missed_at,
        "outcome": check.outcome.value if check.outcome else None,
        "by_whom": work.seal_text(person_id, column.by_whom, check.id, check.by_whom),
        "at": check.at,
        "reason": work.seal_text(person_id, column.reason, check.id, check.reason),
        "instead_of": check.instead_of,
    }


def check_of(row: Mapping[str, object]) -> WelfareCheck:
    """A welfare check, as it was kept."""
    outcome = _text(row, "outcome")
    return WelfareCheck(
        id=str(row["id"]),
        leg_id=str(row["leg_id"]),
        pause_id=str(row["pause_id"]),
        due_on=cast(date, row["due_on"]),
        due_at=cast(datetime, row["due_at"]),
        status=CheckStatus(str(row["status"])),
        next_at=cast("datetime | None", row["next_at"]),
        escalated_to=_text(row, "escalated_to"),
        asked=tuple(cast("Sequence[str]", row["asked"])),
        missed_at=cast("datetime | None", row["missed_at"]),
        outcome=WelfareOutcome(outcome) if outcome else None,
        by_whom=_text(row, "by_whom"),
        at=cast("datetime | None", row["at"]),
        reason=_text(row, "reason"),
        instead_of=_text(row, "instead_of"),
    )


def timer_of(row: Mapping[str, object]) -> Timer:
    """A timer, as it was kept."""
    due_at = cast(datetime, row["due_at"])
    return Timer(str(row["id"]), TimerKind(str(row["kind"])), due_at, _text(row, "leg_id"), _text(row, "review_id"))


def _text(row: Mapping[str, object], name: str) -> str | None:
    return str(row[name]) if row[name] is not None else None
