"""Every way to answer a question, and all that can be decided on a leg, as the words to type. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from schemas.roles import MAY_JOIN_PERSONS
from schemas.vocabulary import DecisionKind, WelfareOutcome
from services.cli.looking import Row
from services.cli.terminal import short
from services.router.casework.act import NOT_KNOWN, REFUSE
from services.router.casework.human import KEEP, LEAST_ROLE
from services.router.casework.resting import RESTING
from services.router.casework.steps import ReviewKind
from services.router.rules.language import Role

WHY_IT_ENDS: Final = ("--reason-code", "CODE")


class Way(NamedTuple):
    """One thing that a human can do, and what they type for it. Words in capitals are theirs to fill in."""

    says: str
    words: tuple[str, ...]  # after `onward work`
    role: str | None = None  # the least that may, where that is more than who is asked
    value: str | None = None  # of a fact, where this says that it is that

    def typed(self, who: tuple[str, ...]) -> str:
        """The whole command."""
        return shlex.join(("onward", "work", *self.words, *who, "--because", "WHY"))


def ways_to_answer(review: Row, leg: Row | None) -> list[Way]:
    """What answers an open question; last of all, to put it off."""
    kind, id_ = ReviewKind(review["kind"]), short(review["id"])
    found = list(_ANSWERS.get(kind, _in_words)(review, leg))
    return [*found, Way("ask again later", ("answer", id_, "--snooze-until", "DAY"))]


def ways_on(leg: Row, review: str | None = None) -> list[Way]:
    """What can be decided on a leg as it stands, whether somebody was asked or not."""
    named = ("--leg", short(leg["id"]), *(("--review", short(review)) if review else ()))
    return [_decided(says, kind, named, *more) for says, kind, more in _on(leg)]


def ways_to_part(person: Row) -> list[Way]:
    """How those who were taken for one with somebody become two again."""
    named = ("decide", DecisionKind.UNMERGE_PERSONS.value, "--person", person["person_id"], "--with")
    return [Way(f"{other} is somebody else after all", (*named, other), MAY_JOIN_PERSONS) for other in person["joined"]]


def _on(leg: Row) -> Iterator[tuple[str, DecisionKind, tuple[str, ...]]]:
    rests, offer = leg["status"] in RESTING, leg["offer"]
    if offer is not None and not rests:
        yield "the offered pause is taken", DecisionKind.AGREE_OFFER, ()
        yield "the person chooses to go on", DecisionKind.DECLINE_OFFER, ()
    if rests:
        yield "the leg goes on where it stood", DecisionKind.RESUME_LEG, ()
        yield "rest until a later day", DecisionKind.EXTEND_PAUSE, ("--on", "DAY")
    if rests and leg["pause"] is not None:
        yield "rest until an earlier day", DecisionKind.SHORTEN_PAUSE, ("--on", "DAY")
    if leg["checks"]:
        outcomes = "|".join(WelfareOutcome)
        yield f"the welfare check was done: {outcomes}", DecisionKind.RECORD_CHECK, ("--outcome", "OUTCOME")
        yield "check on another day", DecisionKind.RESCHEDULE_CHECK, ("--on", "DAY")
        yield "no checks up to a day", DecisionKind.MUTE_CHECKS, ("--on", "DAY")
    if leg["closed_at"] is not None:
        yield "open it again", DecisionKind.REOPEN_LEG, ()
    if leg["concluded_at"] is None:
        ends = "end it" if leg["closed_at"] is None else "nothing more is to be done on it"
        yield ends, DecisionKind.CLOSE_LEG, WHY_IT_ENDS
    yield "it stands elsewhere", DecisionKind.CORRECT_STATUS, ("--status", "STATUS")


def _decided(says: str, kind: DecisionKind, named: tuple[str, ...], *more: str) -> Way:
    return Way(says, ("decide", kind.value, *named, *more), LEAST_ROLE.get(kind, Role.FACILITATOR).value)


def _given(review: Row, **says: tuple[str, ...]) -> Iterator[Way]:
    """The answers that a question offers, with what each needs beside."""
    for answer in review["answers"] or ():
        yield Way(answer, ("answer", short(review["id"]), "--answer", answer, *says.get(answer, ())))


def _in_words(review: Row, leg: Row | None) -> Iterator[Way]:
    """One of the answers offered, or the human's own; and whatever can be done about the leg, which answers it too."""
    if review["answers"]:
        yield from _given(review)
    else:
        yield Way("it is settled, in your own words", ("answer", short(review["id"]), "--answer", "TEXT"))
    if leg is not None:
        yield from ways_on(leg, review["id"])


def _offer(review: Row, leg: Row | None) -> Iterator[Way]:  # noqa: ARG001 - of the table's one shape
    yield from _given(review)


def _pause_end(review: Row, leg: Row | None) -> Iterator[Way]:  # noqa: ARG001
    yield from _given(review, extend=("--on", "DAY"), close=WHY_IT_ENDS)


def _check(review: Row, leg: Row | None) -> Iterator[Way]:
    yield from _given(review)
    if leg is not None:
        named = ("--leg", short(leg["id"]), "--review", short(review["id"]))
        yield _decided("on another day", DecisionKind.RESCHEDULE_CHECK, named, "--on", "DAY")
        yield _decided("no checks up to a day", DecisionKind.MUTE_CHECKS, named, "--on", "DAY")


def _route(review: Row, leg: Row | None) -> Iterator[Way]:  # noqa: ARG001
    yield Way("let it go out", ("answer", short(review["id"]), "--confirm"))
    offered = REFUSE in (review["answers"] or (REFUSE,))
    if offered and (review["route"] or {}).get("tier") != "floor":  # a safety rule's is never refused
        yield Way("do not", ("answer", short(review["id"]), "--refuse"))


def _fact(review: Row, leg: Row | None) -> Iterator[Way]:  # noqa: ARG001
    values = list(review["answers"] or ())
    if len(values) < 2:  # only that it is not known: any number else
        values.insert(0, "VALUE")
    for value in values:
        words = ("answer", short(review["id"]), "--fact-value", value)
        if value == NOT_KNOWN:
            yield Way("it cannot be found out", words)
        else:
            yield Way(f"{review['fact']}: {value}", words, value=value)


def _link(review: Row, leg: Row | None) -> Iterator[Way]:  # noqa: ARG001
    yield from _given(review)
    for other in review["perhaps"] or ():
        yield Way(f"it is {other}: one case", ("answer", short(review["id"]), "--merge-with", other), "case_manager")
        apart = ("answer", short(review["id"]), "--keep-apart-from", other)
        yield Way(f"it is not {other}", apart, "case_manager")


def _retention(review: Row, leg: Row | None) -> Iterator[Way]:  # noqa: ARG001
    yield from _given(review)
    yield Way(f"{KEEP}, and ask again on a day", ("answer", short(review["id"]), "--answer", KEEP, "--on", "DAY"))


def _which(review: Row, leg: Row | None) -> Iterator[Way]:
    """Of several legs one stays: closing another answers it."""
    for each in _of_one_need(leg) if leg is not None else []:
        if each["closed_at"] is None:
            named = ("--leg", short(each["id"]), "--review", short(review["id"]), *WHY_IT_ENDS)
            yield _decided(f"close {each['destination']}", DecisionKind.CLOSE_LEG, named)
    yield Way("both stay, or it is settled", ("answer", short(review["id"]), "--answer", "TEXT"))


def _of_one_need(leg: Row) -> list[Row]:
    """A leg, those that were opened in its stead and theirs, and the leg that goes on for it."""
    found = [leg]
    for each in leg["beside"]:
        if each["id"] == leg["joined_to"] or each["reroute_of"] in {one["id"] for one in found}:
            found.append(each)
    return found


_ANSWERS: Final[Mapping[ReviewKind, Callable[[Row, Row | None], Iterator[Way]]]] = MappingProxyType(
    {
        ReviewKind.OFFER_LAPSED: _offer,
        ReviewKind.PAUSE_END: _pause_end,
        ReviewKind.UNTIMED_HOLD: _pause_end,
        ReviewKind.WELFARE_CHECK: _check,
        ReviewKind.CONFIRM_ROUTE: _route,
        ReviewKind.FACT: _fact,
        ReviewKind.LINK: _link,
        ReviewKind.RETENTION: _retention,
        ReviewKind.TWO_LEGS: _which,
        ReviewKind.WHICH_LEG: _which,
    }
)
