"""What an erasure takes away and what stands against it; and the one transaction in which it is done."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, func, select

from services.cli.consulting import Looker, actor_of, checked
from services.cli.looking import Row, all_who_are, rows
from services.ground.sealing import ERASED
from services.ground.settings import Settings
from services.ground.work import Work
from services.intake import erasing, holds
from services.intake import store as intake
from services.router import ending
from services.router import store as router
from services.router.case_retention import disposal_of
from services.router.casework.human import DISPOSE

SHORTEST_NAME: Final = 3  # letters: a shorter word is looked for by nobody
NAMING: Final = frozenset({"name", "identifiers"})  # below these somebody is named in what a source sends
_WORD: Final = re.compile(r"[^\W_]+")


class MayNotBe(Exception):
    """Somebody may not be erased now; nothing was changed."""


class Erasing(NamedTuple):
    """Who would be erased, and all that goes and stands in the way."""

    persons: list[str]  # the person, and all who are merged into them
    before: dict[str, datetime]  # those of them who were erased already
    holds: list[Row]
    open_legs: list[Row]
    timers: int
    reviews: dict[str, str]  # open questions, and whose each is
    aside: list[str]  # messages of theirs in quarantine
    counts: Mapping[str, int]  # what reads as erased afterwards

    @property
    def left(self) -> list[str]:
        """Who is still to be erased."""
        return [person for person in self.persons if person not in self.before]

    def as_told(self) -> Row:
        """For machines; nothing of what anybody wrote."""
        return {
            "person_id": self.persons[0],
            "persons": self.persons,
            "erased_at": self.before.get(self.persons[0]),
            "holds": [{name: hold[name] for name in ("id", "placed_at", "by_user", "until")} for hold in self.holds],
            "open_legs": self.open_legs,
            "timers": self.timers,
            "reviews": sorted(self.reviews),
            "goes": dict(self.counts),
        }


def look_at(connection: Connection, person_id: str, now: datetime) -> Erasing:
    """What erasing somebody means just now."""
    persons = all_who_are(connection, person_id)
    before = erasing.erased_at(connection, persons)
    left = [person for person in persons if person not in before]
    waiting = ending.waiting(connection, left)
    aside = erasing.set_aside_of(connection, left) if left else []
    return Erasing(
        persons,
        before,
        holds.holds_on(connection, left, now),
        ending.open_legs(connection, left),
        waiting.timers,
        waiting.reviews,
        aside,
        {**_counts(connection, left), "messages_set_aside": len(aside)},
    )


def _counts(connection: Connection, persons: list[str]) -> dict[str, int]:
    return {
        name: int(connection.execute(select(func.count()).where(column.in_(persons))).scalar_one())
        for name, column in (
            ("events", router.case_events.c.person_id),
            ("decisions", router.decisions.c.person_id),
            ("legs", router.legs.c.person_id),
            ("identifiers", intake.identifiers.c.person_id),
            ("references", intake.references.c.person_id),
        )
    }


def erase(
    connection: Connection,
    settings: Settings,
    now: datetime,
    who: Looker,
    person_id: str,
    *,
    even_open: bool,
    review: str | None = None,
) -> Erasing:
    """Erase somebody and all who are merged into them, in the transaction of this connection.

    Returns what was found before. Nothing is done for those who were erased before. Raises MayNotBe with why, and
    OnwardError for a reason that the log cannot take. `services.intake.erasing.finish` is to follow the commit.
    """
    intake.known_persons(connection, all_who_are(connection, person_id))  # locks them
    persons = all_who_are(connection, person_id)
    ending.lock_cases(connection, persons)
    found = look_at(connection, person_id, now)
    if not found.left:
        return found
    _require_free(found, even_open=even_open)
    because = checked(who.because or "")
    named = sorted(set(_words(because)) & names_of(connection, found.left))
    if named:
        raise MayNotBe(
            f"the reason stays readable when all else is erased, and {len(named)} of its words name the person or "
            "somebody in their case: say it without a name, number or alias"
        )
    work = Work(connection, service="intake", now=now, organisation=settings.organisation)
    ended = ending.end_cases(work, found.left, who.by)
    more = {person: [("review", id_) for id_, of in ended.reviews.items() if of == person] for person in found.left}
    answered = _answered(connection, review, found.persons)
    erasing.forget(work, found.left, actor_of(who), because, aside=found.aside, more=more, review=answered)
    work.finish()
    return found


def _require_free(found: Erasing, *, even_open: bool) -> None:
    if found.holds:
        until = ", ".join(f"{hold['id'][-8:]} by {hold['by_user']}" for hold in found.holds)
        raise MayNotBe(f"a legal hold stands ({until}): see `onward person show`; nothing was erased")
    if found.open_legs and not even_open:
        legs = ", ".join(f"{leg['destination']} ({leg['status']}, {leg['id'][-8:]})" for leg in found.open_legs)
        raise MayNotBe(
            f"{len(found.open_legs)} legs are open, so somebody still works with them: {legs}; close them first, or "
            "say --even-open; nothing was erased"
        )


def _answered(connection: Connection, review: str | None, persons: list[str]) -> str | None:
    """The question of retention that the erasure answers to."""
    if review is None:
        return None
    found = disposal_of(connection, review)
    if found is None or found["person_id"] not in persons:
        raise MayNotBe(f"no question of retention {review!r} was answered with {DISPOSE!r} of this person")
    return str(found["id"])


def names_of(connection: Connection, persons: list[str]) -> set[str]:
    """Every word by which somebody in what was told of these persons is named, folded."""
    contents = rows(connection, router.case_events, router.case_events.c.person_id.in_(persons))
    return {
        word
        for row in contents
        if row["content"] != ERASED
        for said in _named_in(orjson.loads(row["content"]), within=False)
        for word in _words(said)
        if len(word) >= SHORTEST_NAME
    }


def _named_in(value: Any, *, within: bool) -> Iterator[str]:
    match value:
        case dict():
            for name, member in value.items():
                yield from _named_in(member, within=within or name in NAMING)
        case list():
            for member in value:
                yield from _named_in(member, within=within)
        case str() if within:
            yield value


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
