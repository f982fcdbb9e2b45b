"""What a destination has told of a leg, put in the order in which it happened, and where that leaves the leg.

News comes late, twice and out of order. So a leg is never moved by what was said last, but by all that was said since a
human or casework last placed it: folded in the order of occurrence, it comes to the same in whatever order it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from schemas.vocabulary import LegStatus, ProgressKind
from services.router.rules.pathway import Pathway

BECOMES: Final = MappingProxyType(  # what each kind makes of a leg; resumed goes back to where it stood
    {
        ProgressKind.ACKNOWLEDGED: LegStatus.ACKNOWLEDGED,
        ProgressKind.ACCEPTED: LegStatus.ACCEPTED,
        ProgressKind.WAITLISTED: LegStatus.WAITLISTED,
        ProgressKind.ADDITIONAL_ASSESSMENT: LegStatus.AWAITING_ASSESSMENT,
        ProgressKind.DECLINED: LegStatus.DECLINED,
        ProgressKind.NO_CAPACITY: LegStatus.NO_CAPACITY,
        ProgressKind.STARTED: LegStatus.ON_PROGRAMME,
        ProgressKind.OFFER_AGREED: LegStatus.ON_HOLD,
        ProgressKind.PAUSE_AGREED: LegStatus.ON_HOLD,
        ProgressKind.COMPLETED: LegStatus.PROGRAMME_COMPLETE,
        ProgressKind.CLOSED: LegStatus.WITHDRAWN,
    }
)
PRESENCE: Final = (ProgressKind.FIRST_CONTACT, ProgressKind.ATTENDED)  # the person was there: strange on a closed leg

# Which comes first of what is said to have happened in the same moment. A destination that knows only the day of each
# step sends several of one moment, and they too must come to the same in whatever order they come.
_ORDER: Final = MappingProxyType(
    {
        kind: place
        for place, kind in enumerate(
            (
                ProgressKind.ACKNOWLEDGED,
                ProgressKind.FIRST_CONTACT,
                ProgressKind.ADDITIONAL_ASSESSMENT,
                ProgressKind.WAITLISTED,
                ProgressKind.ACCEPTED,
                ProgressKind.STARTED,
                ProgressKind.ATTENDED,
                ProgressKind.OFFER_AGREED,
                ProgressKind.PAUSE_AGREED,
                ProgressKind.RESUMED,
                ProgressKind.COMPLETED,
                ProgressKind.DECLINED,
                ProgressKind.NO_CAPACITY,
                ProgressKind.CLOSED,
            )
        )
    }
)


class Told(NamedTuple):
    """One thing that a destination told, as far as it says where the leg stands."""

    at: datetime  # when it happened
    kind: ProgressKind
    place: int | None = None  # on the waiting list
    expected_on: date | None = None
    reason: str | None = None  # of an end: a code of pathway.yaml


class Stand(NamedTuple):
    """Where a leg stands."""

    status: LegStatus
    held_from: LegStatus | None = None  # where it stood before its pause
    place: int | None = None  # on the waiting list
    expected_on: date | None = None  # when a start or an answer may be expected
    reason: str | None = None  # why it ended: a code of pathway.yaml


class Verdict(StrEnum):
    """What one thing that was told does where the leg stands."""

    MOVES = "moves"
    ALREADY = "already"  # says what is so already, or was on the way here
    REFUSED = "refused"  # no transition leads there


@dataclass(frozen=True, slots=True)
class Account:
    """What was told of a leg since it was last placed by a human or by casework."""

    base: Stand  # where it was placed
    at: datetime | None = None  # and when; None: when it was opened, before anything could be told
    told: tuple[Told, ...] = ()  # since, in the order of occurrence
    heard: tuple[Told, ...] = field(default=())  # what counts no more; kept to know a repeat of it

    def knows(self, told: Told) -> bool:
        """Whether just this was told before."""
        return told in self.told or told in self.heard

    def with_(self, told: Told) -> Account:
        """The account with this in its place. Of what repeats itself session by session only the last is kept."""
        rest = self.told
        if told.kind in PRESENCE:
            last = max([told, *(t for t in rest if t.kind is told.kind)], key=_order)
            rest, told = tuple(t for t in rest if t.kind is not told.kind), last
        return replace(self, told=tuple(sorted((*rest, told), key=_order)))

    def set_aside(self, told: Told) -> Account:
        """The account with this heard, and not counted."""
        return replace(self, heard=(*self.heard, told))

    def to_json(self) -> dict[str, object]:
        """As it is kept with the leg."""
        return {
            "base": [*self.base[:3], _day(self.base.expected_on), self.base.reason],
            "at": None if self.at is None else self.at.isoformat(),
            "told": [_plain(told) for told in self.told],
            "heard": [_plain(told) for told in self.heard],
        }

    @classmethod
    def from_json(cls, kept: object) -> Account:
        """As it was kept."""
        said = cast("dict[str, list[list[object]]]", kept)
        status, held_from, place, expected_on, reason = cast("list[object]", said["base"])
        base = Stand(
            LegStatus(str(status)),
            LegStatus(str(held_from)) if held_from else None,
            cast("int | None", place),
            date.fromisoformat(str(expected_on)) if expected_on else None,
            cast("str | None", reason),
        )
        at = datetime.fromisoformat(str(said["at"])) if said["at"] else None
        return cls(base, at, *(tuple(_of_plain(told) for told in said[part]) for part in ("told", "heard")))

    def placed(self, stand: Stand, at: datetime) -> Account:
        """A new beginning: somebody placed the leg here."""
        return Account(stand, at, (), (*self.heard, *self.told))


def fold(pathway: Pathway, account: Account) -> tuple[Stand, Sequence[tuple[Told, Stand, Verdict]]]:
    """Where the account leaves the leg; and of each thing told, where the leg stood then and what came of it."""
    stand, course = account.base, []
    for told in account.told:
        verdict, after = judge(pathway, stand, told)
        course.append((told, stand, verdict))
        stand = after
    return stand, course


def judge(pathway: Pathway, stand: Stand, told: Told) -> tuple[Verdict, Stand]:
    """What this does to a leg that stands here, and where it stands then."""
    closed = pathway.statuses[stand.status].closed
    if told.kind in PRESENCE:
        return (Verdict.REFUSED if closed else Verdict.ALREADY), stand
    if closed and told.kind is ProgressKind.CLOSED:
        return Verdict.ALREADY, stand._replace(reason=told.reason or stand.reason)
    target = _target(pathway, stand, told.kind)
    goes_on = told.kind is ProgressKind.RESUMED and not closed
    if target is None or (not goes_on and says_already(pathway, stand, target)):
        return Verdict.ALREADY, _restated(stand, told, target)
    must_resume = stand.status is LegStatus.ON_HOLD and told.kind is not ProgressKind.RESUMED
    if must_resume and not pathway.statuses[target].closed:
        return Verdict.REFUSED, stand  # a pause ends by a word that says so, never by the way
    if not pathway.may("destination", stand.status, target):
        return Verdict.REFUSED, stand
    after = placed_at(stand, target, told)
    return Verdict.MOVES, after._replace(reason=told.reason if pathway.statuses[target].closed else None)


def placed_at(stand: Stand, target: LegStatus, told: Told | None = None) -> Stand:
    """A leg that stood here, moved there. A pause remembers where it began."""
    held_from = stand.status if target is LegStatus.ON_HOLD else None
    place = told.place if told is not None and target is LegStatus.WAITLISTED else None
    return Stand(target, held_from, place, told.expected_on if told is not None else None)


def says_already(pathway: Pathway, stand: Stand, said: LegStatus) -> bool:
    """Whether a leg that stands here stands there too, was there on its way, or was before its pause.

    News of a leg that was put aside in another way than by a pause brings it back: whoever takes him on says so anew.
    """
    held = stand.held_from if stand.status is LegStatus.ON_HOLD else None
    return pathway.says_already(stand.status, said) or (held is not None and pathway.says_already(held, said))


def refused(course: Iterable[tuple[Told, Stand, Verdict]]) -> bool:
    """Whether anything told cannot be so beside the rest."""
    return any(verdict is Verdict.REFUSED for _, _, verdict in course)


def _target(pathway: Pathway, stand: Stand, kind: ProgressKind) -> LegStatus | None:
    """Where this would bring the leg. None: nowhere, for it goes on already."""
    if kind is not ProgressKind.RESUMED:
        return BECOMES[kind]
    if pathway.statuses[stand.status].closed:
        return LegStatus.ON_PROGRAMME
    return (stand.held_from or LegStatus.ON_PROGRAMME) if pathway.statuses[stand.status].hold else None


def _restated(stand: Stand, told: Told, target: LegStatus | None) -> Stand:
    """The same place, with what was newly said of how long it may take."""
    if target is not stand.status:
        return stand
    place = told.place if told.place is not None and target is LegStatus.WAITLISTED else stand.place
    return stand._replace(place=place, expected_on=told.expected_on or stand.expected_on)


def _order(told: Told) -> tuple[datetime, int, int, date, str]:
    return told.at, _ORDER[told.kind], told.place or 0, told.expected_on or date.min, told.reason or ""


def _plain(told: Told) -> list[object]:
    return [told.at.isoformat(), told.kind.value, told.place, _day(told.expected_on), told.reason]


def _of_plain(kept: list[object]) -> Told:
    at, kind, place, expected_on, reason = kept
    return Told(
        datetime.fromisoformat(str(at)),
        ProgressKind(str(kind)),
        cast("int | None", place),
        date.fromisoformat(str(expected_on)) if expected_on else None,
        cast("str | None", reason),
    )


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
