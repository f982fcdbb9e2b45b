"""The state machine of a leg: what `pathway.yaml` allows happens; all else is refused, with what would be allowed."""

from __future__ import annotations

from datetime import datetime

from schemas.receipt import Problem
from schemas.refusal import Unacceptable
from schemas.vocabulary import LegStatus
from services.router.casework.account import Account, Stand, placed_at
from services.router.casework.case import Leg
from services.router.rules.pathway import Pathway, Who


class TransitionRefused(Unacceptable):
    """A leg may not go there: by whom, from where, and where it may go instead."""

    def __init__(self, reason: str, message: str, *, place: str, allowed: tuple[LegStatus, ...]) -> None:
        super().__init__(reason, [Problem(place=place, message=message[:1_000])])
        self.allowed = allowed


def move(
    pathway: Pathway,
    leg: Leg,
    to: LegStatus,
    *,
    by: Who,
    now: datetime,
    reason: str | None = None,
    code: str | None = None,
    note: str | None = None,
    place: str = "/data/status",
) -> Leg:
    """The leg where somebody moved it. `reason` is in words; `code` is one of `pathway.yaml`, and is a reason too.

    Raises TransitionRefused, about this place of the message. What destinations tell goes through `progress`, which
    minds the order in which things happened.
    """
    check(pathway, leg.status, to, by=by, reason=reason or code, note=note, place=place)
    check_code(pathway, code)
    return put(pathway, leg, to, now=now, code=code)


def check(
    pathway: Pathway,
    start: LegStatus,
    to: LegStatus,
    *,
    by: Who,
    reason: str | None,
    note: str | None,
    place: str,
) -> None:
    """Raise TransitionRefused where the table does not let this happen."""
    allowed = pathway.allowed(by, start)
    instead = f"it may become {', '.join(allowed)}" if allowed else f"no {by} may move it from there"
    if to not in allowed:
        message = f"a leg that is {start} cannot become {to} by a {by}; {instead}"
        raise TransitionRefused("not_allowed", message, place=place, allowed=allowed)
    transition = pathway.transitions[start][to]
    for missing in (transition.needs_reason and not reason and "reason", transition.needs_note and not note and "note"):
        if missing:
            message = f"from {start} to {to} takes a {missing}; {instead}"
            raise TransitionRefused(f"needs_{missing}", message, place=f"/data/{missing}", allowed=allowed)


def check_code(pathway: Pathway, code: str | None) -> None:
    """Raise Unacceptable where this is no reason that the rule set knows."""
    wrong = pathway.unknown_reason(code) if code is not None else None
    if wrong is not None:
        raise Unacceptable("unknown_reason", [Problem(place="/data/reason_code", message=wrong)])


def put(pathway: Pathway, leg: Leg, to: LegStatus, *, now: datetime, code: str | None = None) -> Leg:
    """The leg placed here, whatever the table says: for corrections. What was told before counts no more.

    Where it rests it remembers where it stood, from one rest to another too.
    """
    stand = placed_at(leg.stand, to)._replace(reason=code if pathway.statuses[to].closed else None)
    if pathway.statuses[to].hold:
        stand = stand._replace(held_from=leg.held_from or leg.status)
    if stand.held_from is not None and not _goes_on(pathway, stand.held_from):
        stand = stand._replace(held_from=None)  # nothing resumes into an end or into another rest
    return placed(pathway, leg, stand, now=now)


def placed(pathway: Pathway, leg: Leg, stand: Stand, *, now: datetime) -> Leg:
    """The leg where a human or casework placed it: a new beginning of its account."""
    return stands(pathway, leg, stand, leg.told.placed(stand, now), now=now)


def stands(pathway: Pathway, leg: Leg, stand: Stand, account: Account | None, *, now: datetime) -> Leg:
    """The leg standing there. Ended and concluded follow from the status and the reason."""
    closed = pathway.statuses[stand.status].closed
    concluded = closed and pathway.concludes(stand.status, stand.reason)
    return leg._replace(
        status=stand.status,
        since=leg.since if stand.status is leg.status else now,
        held_from=stand.held_from,
        waitlist_place=stand.place,
        expected_on=stand.expected_on,
        closed_at=(leg.closed_at or now) if closed else None,
        concluded_at=(leg.concluded_at or now) if concluded else None,
        reason=stand.reason,
        account=account,
    )


def _goes_on(pathway: Pathway, status: LegStatus) -> bool:
    return not (pathway.statuses[status].closed or pathway.statuses[status].hold)
