"""One leg as a lane: its spans, its marks, and where it stands in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, time
from typing import Final

from services.cli.picture.model import Lane, Mark, MarkKind, Span
from services.cli.picture.records import CaseRows, CheckRow, Directory, LegRow, MoveRow, OfferRow, PauseRow
from services.cli.picture.upcoming import check_words
from services.cli.picture.words import Family, day, family_of, local, local_day, plain, several, shown, status_label
from services.ground.clock import LONDON

CHECKS: Final = {
    "planned": MarkKind.CHECK_DUE,
    "due": MarkKind.CHECK_DUE,
    "done": MarkKind.CHECK_DONE,
    "missed": MarkKind.CHECK_MISSED,
}
OFFERS: Final = {None: MarkKind.OFFER_OPEN, "agreed": MarkKind.OFFER_AGREED, "declined": MarkKind.OFFER_DECLINED}
ACTIONS: Final = {
    "refer": "Referred",
    "step_up": "Asked to do more",
    "notify": "Told what happened",
    "reopen": "Opened again",
}
SAY_NOTHING: Final = frozenset({"completed", "closed", "stepped up"})  # reasons that are the event's own name


def lane_of(leg: LegRow, rows: CaseRows, directory: Directory, now: datetime, end: datetime) -> Lane:
    """A leg, from its first day to the end of the picture."""
    moves = sorted((move for move in rows.moves if move.leg_id == leg.id), key=lambda move: (move.at, move.id))
    pauses = [pause for pause in rows.pauses if pause.leg_id == leg.id]
    sent = [sent for sent in rows.sent if sent.leg_id == leg.id]
    runs = _runs(leg, moves)
    spans = [_span(run, until, pauses) for run, until in zip(runs, [*(run.at for run in runs[1:]), now], strict=True)]
    is_open = leg.closed_at is None
    pause = next((pause for pause in reversed(pauses) if pause.ended_at is None), None)
    if is_open:
        spans += _ahead(leg, pause, now, end)
    else:
        spans[-1] = replace(spans[-1], end=end, family=Family.CLOSED, says=_closed(leg, runs[-1]))
    marks = [
        *(_check(check, now) for check in rows.checks if check.leg_id == leg.id),
        *(_offer(offer) for offer in rows.offers if offer.leg_id == leg.id),
        *(Mark(MarkKind.SENT, s.handed_over_at, _sent(s.action, s.handed_over_at)) for s in sent),
    ]
    return Lane(
        leg_id=shown(leg.id),
        label=shown(directory.label(leg.destination)),
        other_side=directory.side(leg.destination) != "person",
        is_open=is_open,
        family=family_of(leg.status) if is_open else Family.CLOSED,
        status=status_label(leg.status) if is_open else f"Closed: {status_label(leg.status).lower()}",
        detail=_detail(leg, runs[-1], pause),
        priority=leg.priority,
        told=len(sent),
        spans=tuple(spans),
        marks=tuple(sorted(marks, key=lambda mark: mark.at)),
    )


def _runs(leg: LegRow, moves: Sequence[MoveRow]) -> list[MoveRow]:
    """The moves that changed the status. A leg without history stands where it is since it was opened."""
    runs: list[MoveRow] = []
    for move in moves:
        if not runs or runs[-1].to_status != move.to_status:
            runs.append(move)
    return runs or [MoveRow("", leg.id, leg.opened_at, None, leg.status, "", "")]


def _span(run: MoveRow, until: datetime, pauses: Sequence[PauseRow]) -> Span:
    label, family = status_label(run.to_status), family_of(run.to_status)
    pause = next((pause for pause in reversed(pauses) if run.at <= pause.agreed_at < max(until, run.at)), None)
    if pause is None:  # agreed in the very moment in which the leg was moved
        pause = next((pause for pause in pauses if pause.agreed_at == run.at), None)
    if family is Family.PAUSED and pause is not None:
        why = f"{label}: {shown(plain(pause.reason))}"
        return Span(run.at, until, family, label, (f"{why}, until {day(pause.until_date)}", why, label))
    if family is Family.CLOSED:
        return Span(run.at, until, family, label, _closing(run))
    return Span(run.at, until, family, label, (label,))


def _ahead(leg: LegRow, pause: PauseRow | None, now: datetime, end: datetime) -> Iterable[Span]:
    """What an open leg will be if nothing changes. After a pause a person decides, so nothing is drawn there."""
    family, label = family_of(leg.status), status_label(leg.status)
    if family is Family.PAUSED and pause is not None:
        until = min(max(now, _beginning(pause)), end)
        if until > now:
            yield Span(now, until, family, label, (), ahead=True)
        return
    yield Span(now, end, family, label, (), ahead=True)


def _beginning(pause: PauseRow) -> datetime:
    """When the day on which a pause is looked at begins, for those who work."""
    return datetime.combine(pause.until_date, time(9), LONDON)


def _detail(leg: LegRow, last: MoveRow, pause: PauseRow | None) -> str:
    since = f"since {local_day(leg.since)}"
    if leg.closed_at is not None:
        return f"{local_day(leg.closed_at)}" + (f", {_why(last)}" if _why(last) else "")
    if family_of(leg.status) is Family.PAUSED and pause is not None:
        return f"{shown(plain(pause.reason))}, until {day(pause.until_date)}"
    return since


def _closed(leg: LegRow, last: MoveRow) -> tuple[str, ...]:
    return _closing(replace(last, at=leg.closed_at or last.at))


def _closing(run: MoveRow) -> tuple[str, ...]:
    label = status_label(run.to_status).lower()
    short = (f"Closed {local_day(run.at)}: {label}", f"Closed: {label}", "Closed")
    return (f"{short[0]} ({_why(run)})", *short) if _why(run) else short


def _why(run: MoveRow) -> str:
    """Why a leg was closed, where somebody said more than that it was."""
    return "" if run.because in SAY_NOTHING or run.because == run.to_status else shown(plain(run.because))


def _check(check: CheckRow, now: datetime) -> Mark:
    kind = CHECKS.get(check.status, MarkKind.CHECK_OFF)
    at = check.due_at if check.at is None or kind is not MarkKind.CHECK_DONE else check.at
    return Mark(kind, at, f"Welfare check due {local(check.due_at)}: {check_words(check, now)}")


def _offer(offer: OfferRow) -> Mark:
    kind = OFFERS.get(offer.answer, MarkKind.OFFER_DECLINED)
    said = {MarkKind.OFFER_AGREED: "taken up", MarkKind.OFFER_DECLINED: "declined"}.get(kind, "not answered yet")
    if offer.answer not in OFFERS:
        said = shown(plain(offer.answer or ""))
    return Mark(
        kind, offer.offered_at, f"Pause of {several(offer.for_days, 'day')} offered {local(offer.offered_at)}: {said}"
    )


def _sent(action: str, at: datetime) -> str:
    return f"{ACTIONS.get(action, plain(action).capitalize())}, {local(at)}"
