"""Where a route goes: to whom the rules name, to another in its stead, or before a human first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.vocabulary import ConsentToShare
from services.router.casework.fitting import Candidate, Person, Seeking, alternatives, fitting
from services.router.rules.decision import RouteDecided
from services.router.rules.ruleset import Destination

if TYPE_CHECKING:
    from services.router.casework.act import Acting  # which places routes, and so stands on this

TOLD_BY_HER: Final = "The other party's own service told this, and what it tells must not come back on her."


class Placed(NamedTuple):
    """Where a route goes."""

    destination: Destination
    question: str | None = None  # why a human must look before
    note: str = ""  # what is to be remembered of it


def place(route: RouteDecided, person: Person, acting: Acting) -> Placed:
    """Who gets this referral: whom the rules name, or one in its stead, perhaps after a human's word."""
    destination = acting.rules.destinations[route.destination]
    placed = Placed(destination)
    if route.tier != "floor":  # floors know no limits
        placed = _limit(destination, person, acting)
    if placed.question is None and route.confirm == "human":
        question = " ".join(filter(None, [placed.note, f"May this be referred to {placed.destination.label}?"]))
        placed = placed._replace(question=question)
    if comes_back_on_her(route, placed.destination, acting):
        placed = placed._replace(question=may_hear(placed.destination, placed.question))
    return placed


def may_hear(destination: Destination, question: str | None = None) -> str:
    """What a human is asked before a service of his side hears what her side told."""
    return f"{TOLD_BY_HER} {question or f'May {destination.label} hear of it?'}"


def comes_back_on_her(route: RouteDecided, destination: Destination, acting: Acting) -> bool:
    """Whether a service of the person's side would hear what the other party's told. Safety does not wait for that."""
    return route.tier == "ordinary" and destination.side == "person" and told_by_her(acting)


def told_by_her(acting: Acting) -> bool:
    """Whether the other party's own service tells of this. A referral of its own says what it may say."""
    return acting.referral is None and acting.told_by in acting.rules.her_sources


def is_refused(route: RouteDecided, destination: Destination, person: Person) -> bool:
    """Whether the person has said no to what is voluntary: then it does not go on by the way either."""
    return route.tier == "ordinary" and destination.voluntary and person.consent == ConsentToShare.NO


def _limit(destination: Destination, person: Person, acting: Acting) -> Placed:
    """Who gets an ordinary referral, why a human must look before, and what is to be remembered of it.

    Where another destination surely fits and this one surely does not, that one gets it at once.
    """
    obstacles = fitting(destination, person, acting.places, acting.now)
    if not obstacles:
        return Placed(destination)
    case = acting.case
    seeking = Seeking(case, acting.rules, person, acting.places, acting.now, case.referral_event)
    others = alternatives(destination, seeking, first=destination.instead)
    if not others and acting.places.learned(destination, acting.now):
        # Nobody else does its job: it is asked again, for a place may have come free.
        obstacles = tuple(each for each in obstacles if each.what != "capacity")
        if not obstacles:
            return Placed(destination)
    here = str(Candidate(destination, obstacles))
    refused = any(each.what == "consent" and each.certain for each in obstacles)
    if not refused and any(each.certain for each in obstacles):
        chosen = next((each for each in others if not each.obstacles), None)
        if chosen is not None:
            passed = [here, *(str(each) for each in others[: others.index(chosen)])]
            return Placed(chosen.destination, note=f"Instead of {', '.join(passed)}.")
    beside = f" Others: {', '.join(map(str, others))}." if others else ""
    return Placed(destination, f"{here}.{beside} Refer there all the same, or elsewhere?")
