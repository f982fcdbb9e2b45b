"""Whom a destination takes. Unknown is not no, and not yes either: what nobody knows is asked of a human."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from schemas.vocabulary import ConsentToShare, LegStatus
from services.router.casework.case import Case, Leg
from services.router.casework.places import Places
from services.router.rules.calendar import local_day
from services.router.rules.declarations import Measure
from services.router.rules.directory import Intake, ServiceStatus
from services.router.rules.events import Kept
from services.router.rules.language import FactValue
from services.router.rules.measures import whole_years
from services.router.rules.ruleset import Destination, RuleSet

What: TypeAlias = Literal["status", "capacity", "age", "area", "consent", "tried"]

# Whoever said so once is not asked again: only a human may do that.
SAID_NO: Final = frozenset(
    {
        LegStatus.DECLINED,
        LegStatus.NOT_ELIGIBLE,
        LegStatus.NOT_SUITABLE,
        LegStatus.DESELECTED,
        LegStatus.WITHDRAWN,
    }
)
_CONSENTS: Final = frozenset(each.value for each in ConsentToShare)
_RANK: Final[Mapping[Intake | None, int]] = {
    Intake.ACCEPTING: 0,
    None: 1,
    Intake.WAITLIST: 2,
    Intake.ADDITIONAL_ASSESSMENT_REQUIRED: 3,
    Intake.NO_CAPACITY: 4,
}


class Obstacle(NamedTuple):
    """One reason why somebody does not fit, or may not."""

    what: What
    certain: bool  # no: it hangs on something that is not known
    says: str  # follows the destination's name; holds nothing of the person's


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a person that a destination can ask for. None: not known."""

    age: int | None = None
    area: str | None = None
    consent: str | None = None
    lives_in: Mapping[tuple[str, ...], bool] = field(default_factory=dict)  # answered for these areas as a whole


class Candidate(NamedTuple):
    """Another destination that serves the need, and what stands in its way."""

    destination: Destination
    obstacles: tuple[Obstacle, ...]

    @property
    def certainly_not(self) -> bool:
        """Is there a reason against it that no answer could change?"""
        return any(obstacle.certain for obstacle in self.obstacles)

    def __str__(self) -> str:
        why = "; ".join(obstacle.says for obstacle in self.obstacles)
        return f"{self.destination.label} ({why})" if why else self.destination.label


@dataclass(frozen=True, slots=True)
class Seeking:
    """For whom another destination is sought, and for which referral."""

    case: Case
    rules: RuleSet
    person: Person
    places: Places
    now: datetime
    occasion: str | None  # that referral, by its event


def person_of(rules: RuleSet, case: Case, facts: Mapping[str, FactValue], now: datetime) -> Person:
    """What the facts of the moment say, and where they say nothing, what the case remembers."""
    age, consent, area = None, None, None
    lives_in: dict[tuple[str, ...], bool] = {}
    for name in _facts_on(rules, "person.date_of_birth", "age"):
        age = _number(facts.get(name), age)
        if age is None and (born := _born(case.remembered.get(name))) is not None:
            age = whole_years(born, local_day(now))
    for name in _facts_on(rules, "consent.to_share", "value"):
        said = (facts.get(name), case.remembered.get(name), consent)
        consent = next((each for each in said if isinstance(each, str) and each in _CONSENTS), None)
    for name in _facts_on(rules, "area", "served"):
        kept, served = case.remembered.get(name), facts.get(name)
        area = kept if isinstance(kept, str) else area
        if isinstance(served, bool):
            lives_in[rules.remembered_as["area", "served"][name]] = served
    return Person(age, area, consent, lives_in)


def _facts_on(rules: RuleSet, path: str, measure: Measure) -> Iterable[str]:
    return rules.remembered_as.get((path, measure), ())


def _number(value: FactValue, otherwise: int | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _born(kept: Kept) -> date | None:
    try:
        return date.fromisoformat(kept) if isinstance(kept, str) else None
    except ValueError:
        return None


def fitting(destination: Destination, person: Person, places: Places, now: datetime) -> tuple[Obstacle, ...]:
    """Why a destination does not take this person, or may not; nothing where it surely fits."""
    found: list[Obstacle] = []
    if destination.status is not ServiceStatus.ACTIVE:
        found.append(Obstacle("status", certain=True, says=f"is {destination.status.replace('_', ' ')}"))
    if (full := places.full(destination, now)) is not None:
        found.append(Obstacle("capacity", certain=True, says=full))
    if destination.minimum_age is not None or destination.maximum_age is not None:
        found += _age(destination.minimum_age, destination.maximum_age, person.age)
    if destination.service_areas is not None:
        served = _serves(destination.service_areas, person)
        if served is None:
            says = "has its own area, and where the person lives is not known"
            found.append(Obstacle("area", certain=False, says=says))
        elif not served:
            found.append(Obstacle("area", certain=True, says="does not serve this area"))
    if destination.voluntary and person.consent == ConsentToShare.NO:
        found.append(Obstacle("consent", certain=True, says="is voluntary, and consent to share was refused"))
    elif destination.consent_needed and person.consent != ConsentToShare.YES:
        found.append(Obstacle("consent", certain=False, says="needs consent to share, which is not on record"))
    return tuple(found)


def _age(youngest: int | None, oldest: int | None, age: int | None) -> list[Obstacle]:
    if age is None:
        return [Obstacle("age", certain=False, says="has a limit of age, and the person's age is not known")]
    if youngest is not None and age < youngest:
        return [Obstacle("age", certain=True, says=f"takes nobody under {youngest}")]
    if oldest is not None and age > oldest:
        return [Obstacle("age", certain=True, says=f"takes nobody over {oldest}")]
    return []


def _serves(areas: tuple[str, ...], person: Person) -> bool | None:
    known = tuple(sorted(area.casefold() for area in areas))
    if person.area is not None:
        return person.area.strip().casefold() in known
    return person.lives_in.get(known)


def tried(case: Case, destination: str, occasion: str | None) -> Leg | None:
    """The leg because of which a destination is not asked again: it is open, it said no, or it is of this referral."""
    legs = [
        leg
        for leg in case.legs.values()
        if leg.destination == destination
        # A leg of before referrals were kept may well be of this one.
        and (not leg.closed or leg.status in SAID_NO or leg.occasion in (None, occasion))
    ]
    return max(legs, key=lambda leg: leg.id, default=None)


def alternatives(destination: Destination, seeking: Seeking, *, first: Sequence[str]) -> list[Candidate]:
    """The other destinations that serve the same need, in the order in which they are to be asked."""
    found = []
    for other in seeking.rules.destinations.values():
        if other.serves != destination.serves or other.id == destination.id:
            continue
        obstacles = fitting(other, seeking.person, seeking.places, seeking.now)
        before = tried(seeking.case, other.id, seeking.occasion)
        if before is not None:
            says = f"was asked already: {before.status.replace('_', ' ')}"
            obstacles = (Obstacle("tried", certain=True, says=says), *obstacles)
        found.append(Candidate(other, obstacles))
    place = {name: number for number, name in enumerate(first)}
    return sorted(found, key=lambda each: (place.get(each.destination.id, len(place)), *_preference(each.destination)))


def _preference(destination: Destination) -> tuple[int, str]:
    return _RANK[destination.capacity.intake if destination.capacity else None], destination.id
