"""Welfare checks: due, done, missed and brought before one role after another, put off, muted. None is ever dropped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from schemas.timer import TimerFellDue
from schemas.vocabulary import TimerKind, WelfareOutcome
from services.router.casework.act import Acting, ask
from services.router.casework.case import Case
from services.router.casework.enter import enter
from services.router.casework.resting import (
    OPEN,
    WAITING,
    CheckStatus,
    Pause,
    WelfareCheck,
    at_start_of_work,
    today,
)
from services.router.casework.reviews import refused
from services.router.casework.steps import (
    CheckChanged,
    CheckPlanned,
    ReviewAnswered,
    ReviewAsked,
    ReviewKind,
    Step,
    TimerSet,
)
from services.router.rules.due import Due
from services.router.rules.language import Role

# Who is asked about a check that nobody did, one after another. The last one stays asked until it is done.
LADDER: Final = (Role.FACILITATOR, Role.PROGRAMME_MANAGER, Role.SAFEGUARDING_LEAD)
TIME_TO_DO: Final = Due(working_days=1)  # the end of the next working day; the same again for each role
LONGEST_PUT_OFF: Final = timedelta(days=14)  # a check that could be put off for ever would be none
OUTCOMES: Final = tuple(outcome.value for outcome in WelfareOutcome)


def plan_checks(pause: Pause, days: Sequence[date], acting: Acting) -> list[Step]:
    """Plan checks on these days of a pause.

    Of days that have begun only the last is planned, and falls due at once: nobody can ask now how he was before.
    """
    now_day = today(acting.now)
    begun = [day for day in days if day <= now_day]
    steps: list[Step] = []
    for day in days:
        check = WelfareCheck(acting.new_id(), pause.leg_id, pause.id, day, at_start_of_work(day))
        if pause.muted_until is not None and day <= pause.muted_until:
            check = replace(check, status=CheckStatus.MUTED, at=acting.now, reason="muted before it was planned")
        elif day in begun[:-1]:
            reason = "its day had passed when the pause was made known"
            check = replace(check, status=CheckStatus.NOT_NEEDED, at=acting.now, reason=reason)
        steps += _planned(check, acting)
    enter(acting.case, steps)
    return steps


def check_fell_due(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """A check is due: the facilitator is asked. Past the end of a pause that nobody ended yet, the next is planned."""
    steps: list[Step] = []
    leg_id = str(timer.leg_id)
    for check in case.checks_of(leg_id, {CheckStatus.PLANNED}):
        if check.due_at <= timer.due_at:
            steps += _ask(check, CheckStatus.DUE, Role.FACILITATOR, "A welfare check is due. How is he?", acting)
    steps += keep_checking(leg_id, acting)
    return steps


def check_escalates(case: Case, timer: TimerFellDue, acting: Acting) -> list[Step]:
    """Nobody did a check in time: it is missed, and the next role is asked."""
    steps: list[Step] = []
    for check in case.checks_of(str(timer.leg_id), WAITING):
        if check.next_at is not None and check.next_at <= timer.due_at:
            steps += _escalate(check, acting)
    return steps


def keep_checking(leg_id: str, acting: Acting) -> list[Step]:
    """Where a pause is over and no human has said how it goes on, the checks go on in their rhythm."""
    pause, now_day = acting.case.open_pause(leg_id), today(acting.now)
    if pause is None or now_day < pause.until_date:
        return []
    planned = acting.case.checks_of(leg_id, {CheckStatus.PLANNED})
    if any(check.pause_id == pause.id for check in planned):
        return []
    after = max(now_day, pause.muted_until or now_day)
    days = pause.check_days(after=after, until=after + timedelta(days=pause.welfare_check_days))
    return plan_checks(pause, days[:1], acting)


def reported_missed(case: Case, occurred_at: datetime, acting: Acting) -> list[Step]:
    """A source tells that a check was missed. Where we know of none, the facilitator is asked all the same."""
    day = today(occurred_at)
    steps: list[Step] = []
    known = False
    for leg_id in sorted({pause.leg_id for pause in case.pauses.values() if pause.is_open}):
        checks = [check for check in case.checks_of(leg_id, OPEN) if check.due_on <= day]
        known = known or bool(checks)
        if checks and not any(check.status is CheckStatus.MISSED for check in checks):
            steps += _escalate(checks[-1], acting)
    if known:
        return steps
    question = "A welfare check is said to be missed, but none is known. Has anybody seen him?"
    return ask(acting, ReviewKind.ESCALATION, question, role=Role.FACILITATOR, due=TIME_TO_DO, leg_id=acting.about_leg)


def record_check(case: Case, leg_id: str, outcome: WelfareOutcome | None, *, on: date, acting: Acting) -> list[Step]:
    """Somebody saw him, or tried to. That answers every check that waits, or else the next one, if it is near.

    No steps where no check is near: it is good to know, and changes nothing.
    """
    near = [check for check in case.checks_of(leg_id, OPEN) if on > _window_opens(case, check)]
    waiting = [check for check in near if check.status in WAITING]
    return end_checks(waiting or near[:1], CheckStatus.DONE, acting, outcome=outcome)


def reschedule_check(case: Case, check: WelfareCheck, *, on: date, reason: str, acting: Acting) -> list[Step]:
    """Another check takes this one's place, on another day. Raises Unacceptable for a day that is past or far away."""
    now_day = today(acting.now)
    if on < now_day:
        raise refused("not_ahead", "/on", "must be today or later")
    if on > max(now_day, check.due_on) + LONGEST_PUT_OFF:
        raise refused("too_far_ahead", "/on", f"must be at most {LONGEST_PUT_OFF.days} days ahead")
    steps = end_checks([check], CheckStatus.RESCHEDULED, acting, reason=reason)
    made = WelfareCheck(acting.new_id(), check.leg_id, check.pause_id, on, at_start_of_work(on), instead_of=check.id)
    new = _planned(made, acting)
    enter(case, new)
    return steps + new


def check_meant(case: Case, leg_id: str, review_id: str | None) -> WelfareCheck:
    """The check that a human speaks of: that of the question, or else the one that waits longest, or is next.

    Raises Unacceptable where there is none.
    """
    checks = case.checks_of(leg_id, OPEN)
    asked_for = [check for check in checks if review_id is not None and review_id in check.asked]
    waiting = [check for check in checks if check.status in WAITING]
    for found in (asked_for, waiting, checks):
        if found:
            return found[0]
    raise refused("no_check", "/leg_id", "no welfare check of this leg is open")


def end_checks(
    checks: Iterable[WelfareCheck],
    status: CheckStatus,
    acting: Acting,
    *,
    outcome: WelfareOutcome | None = None,
    reason: str | None = None,
) -> list[Step]:
    """What became of these checks, and that the questions about them are answered."""
    steps: list[Step] = []
    for check in checks:
        ended = replace(
            check, status=status, next_at=None, outcome=outcome, by_whom=acting.by, at=acting.now, reason=reason
        )
        said = outcome.value if outcome is not None else status.value
        steps.append(CheckChanged(ended))
        steps += [ReviewAnswered(review_id, acting.by, said) for review_id in check.asked]
    enter(acting.case, steps)
    return steps


def _planned(check: WelfareCheck, acting: Acting) -> list[Step]:
    steps: list[Step] = [CheckPlanned(check)]
    if check.status is CheckStatus.PLANNED:
        steps.append(TimerSet(acting.new_id(), TimerKind.WELFARE_CHECK, check.due_at, leg_id=check.leg_id))
    return steps


def _escalate(check: WelfareCheck, acting: Acting) -> list[Step]:
    """To the facilitator at once, then one role further each time."""
    if check.status is not CheckStatus.MISSED:
        missed = replace(check, missed_at=acting.now)
        question = "A welfare check was missed. How is he?"
        return _ask(missed, CheckStatus.MISSED, Role.FACILITATOR, question, acting)
    asked = LADDER.index(Role(check.escalated_to)) if check.escalated_to else -1
    question = "A welfare check was missed and nobody has done it since. How is he?"
    return _ask(check, CheckStatus.MISSED, LADDER[min(asked + 1, len(LADDER) - 1)], question, acting)


def _ask(check: WelfareCheck, status: CheckStatus, role: Role, question: str, acting: Acting) -> list[Step]:
    """Ask a role how he is. While there is a higher one the check has its own timer; the last has the question's."""
    is_last = role is LADDER[-1]
    asked = ask(
        acting, ReviewKind.WELFARE_CHECK, question, role=role, due=TIME_TO_DO, leg_id=check.leg_id, answers=OUTCOMES
    )
    review = next(step for step in asked if isinstance(step, ReviewAsked))
    changed = replace(
        check,
        status=status,
        next_at=None if is_last else review.due_at,
        escalated_to=role.value if status is CheckStatus.MISSED else None,
        asked=(*check.asked, review.id),
    )
    again = TimerSet(acting.new_id(), TimerKind.CHECK_ESCALATION, review.due_at, leg_id=check.leg_id)
    steps: list[Step] = [CheckChanged(changed), *(asked if is_last else (review, again))]
    enter(acting.case, steps)
    return steps


def _window_opens(case: Case, check: WelfareCheck) -> date:
    """The day after which a word of how he is counts as this check."""
    pause = case.pauses.get(check.pause_id)
    return check.due_on - timedelta(days=pause.welfare_check_days if pause is not None else 1)
