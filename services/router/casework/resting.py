"""What a case holds of offers, pauses, welfare checks and timers. Frozen: a change is a new value under the same id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from schemas.vocabulary import LegStatus, PauseReason, TimerKind, WelfareOutcome
from services.router.rules.calendar import LONDON, local_day

START_OF_WORK: Final = time(9)  # what is due on a day falls due when people begin it
RESTING: Final = frozenset(  # where a leg waits for a day that somebody names, and is ours to look after
    {LegStatus.ON_HOLD, LegStatus.SUITABLE_BUT_NOT_READY, LegStatus.DEFERRED, LegStatus.DEPRIORITISED}
)
RESUMED: Final = "resumed"  # how a pause ended whose leg goes on
WELFARE_CHECK_DAYS: Final = 7  # between two checks, where no offer says otherwise


class OfferAnswer(StrEnum):
    """What became of an offer. None stands for an offer that is open."""

    AGREED = "agreed"
    DECLINED = "declined"  # the person chose to go on
    LAPSED = "lapsed"  # nobody answered in time: a facilitator asks, and it can still be answered
    REPLACED = "replaced"  # by a later offer, at least as long
    LEG_CLOSED = "leg_closed"


class CheckStatus(StrEnum):
    """Where a welfare check stands."""

    PLANNED = "planned"
    DUE = "due"  # the facilitator was asked
    DONE = "done"
    MISSED = "missed"  # nobody did it in time; brought before one role after another until somebody does
    RESCHEDULED = "rescheduled"  # another check stands in its place
    MUTED = "muted"
    NOT_NEEDED = "not_needed"  # the pause ended before it


WAITING: Final = frozenset({CheckStatus.DUE, CheckStatus.MISSED})  # somebody should be doing it now
OPEN: Final = WAITING | {CheckStatus.PLANNED}


@dataclass(frozen=True, slots=True)
class Offer:
    """An offered pause: space to choose, not a pause."""

    id: str
    leg_id: str
    offered_at: datetime
    answer_by: datetime
    for_days: int
    welfare_check_days: int
    reason: PauseReason
    event_id: str  # the event that it was offered for, which never offers again
    replaces: str | None = None  # an earlier offer that was still open
    answer: OfferAnswer | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None
    review_id: str | None = None  # what a facilitator was asked when it lapsed

    @property
    def is_open(self) -> bool:
        """Whether its answer is awaited."""
        return self.answer is None

    @property
    def awaits_a_word(self) -> bool:
        """Whether the person can still take it up or decline it."""
        return self.answer in (None, OfferAnswer.LAPSED)


@dataclass(frozen=True, slots=True)
class Pause:
    """An agreed rest of one leg."""

    id: str
    leg_id: str
    reason: PauseReason
    from_date: date
    until_date: date  # on which a human looks at it again; it does not end by itself
    welfare_check_days: int
    held_from: LegStatus
    agreed_at: datetime
    event_id: str
    stated: bool = True  # no: it has the terms of the offer, until somebody states others
    muted_until: date | None = None  # the last day without welfare checks
    review_id: str | None = None  # the open question whether it ends
    ended_at: datetime | None = None
    ended: str | None = None  # how: resumed, or the status that the leg came to

    @property
    def is_open(self) -> bool:
        """Whether the leg rests still."""
        return self.ended_at is None

    @property
    def review_at(self) -> datetime:
        """When a human is asked how it goes on."""
        return at_start_of_work(self.until_date)

    def check_days(self, *, after: date, until: date) -> list[date]:
        """The days of its rhythm in a stretch, without the first and with the last."""
        step = self.welfare_check_days
        first = max((after - self.from_date).days // step + 1, 1)
        last = (until - self.from_date).days // step
        return [self.from_date + timedelta(days=step * number) for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class WelfareCheck:
    """Somebody asks him how he is. A row is never taken away; what became of it is written on it."""

    id: str
    leg_id: str
    pause_id: str
    due_on: date
    due_at: datetime
    status: CheckStatus = CheckStatus.PLANNED
    next_at: datetime | None = None  # when it goes to the next role, while it waits
    escalated_to: str | None = None  # the highest role that was asked
    asked: tuple[str, ...] = ()  # the reviews that ask for it
    missed_at: datetime | None = None  # kept whatever comes after
    outcome: WelfareOutcome | None = None
    by_whom: str | None = None
    at: datetime | None = None  # when it was done, put off, muted or dropped
    reason: str | None = None
    instead_of: str | None = None  # the check that was put off


class Timer(NamedTuple):
    """A promise to look again that was not kept yet."""

    id: str
    kind: TimerKind
    due_at: datetime
    leg_id: str | None = None
    review_id: str | None = None


def at_start_of_work(day: date) -> datetime:
    """The moment, in UTC, when people in London begin that day."""
    return datetime.combine(day, START_OF_WORK, LONDON).astimezone(UTC)


def today(now: datetime) -> date:
    """The day in London."""
    return local_day(now)
