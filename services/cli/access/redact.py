"""Takes from a message what the person concerned may have of it, and marks each place where something is held back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from pydantic import JsonValue

from schemas.envelope import EventType
from services.cli.access.fields import FIELDS, Treatment, treatment

HELD: Final = "[withheld: "  # what each mark begins with
OF_ANOTHER: Final = "[withheld: about another person]"
OF_OURS: Final = "[withheld: our own number for a record]"
REASONS: Final = "reasons"  # why somebody looked, or told somebody: these have no record of their own
OF_STAFF: Final = "[withheld: the name of somebody at work]"

Json: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Policy:
    """What this export opens beyond what everybody gets."""

    narratives: bool = False  # a human has read all that was written
    narratives_of: frozenset[str] = frozenset()  # what a human has read, by ids of records, and of persons, and REASONS
    staff: bool = False  # the controller names those who work there
    all_parties: bool = False  # nothing is held back: for those who review it, never for the person

    def opens(self, what: Treatment) -> bool:
        """Whether a field of this treatment is shown."""
        match what:
            case Treatment.SHOWN:
                return True
            case Treatment.OTHER | Treatment.OURS:
                return self.all_parties
            case Treatment.STAFF:
                return self.staff or self.all_parties
            case Treatment.WRITTEN:
                return self.narratives or self.all_parties

    def of(self, *ids: str | None) -> Policy:
        """The same for one record, whose text is opened where one of these was read."""
        return self if self.narratives_of.isdisjoint(ids) else replace(self, narratives=True)

    def written(self, text: str | None) -> str | None:
        """What somebody wrote, or how much of it is held back."""
        return text if text is None or self.opens(Treatment.WRITTEN) else of_written(text)

    def name(self, name: str | None) -> str | None:
        """Who somebody is that did their work."""
        return name if name is None or self.opens(Treatment.STAFF) else OF_STAFF


def of_written(text: str) -> str:
    """The mark in place of what somebody wrote."""
    several = "1 character" if len(text) == 1 else f"{len(text):,} characters"
    return f"[withheld: may be about others; {several}]"


def redacted(kind: EventType, data: Mapping[str, JsonValue], policy: Policy) -> Json:
    """What may be shown of a message's data; in place of the rest stands a mark, and no name that nobody decided on."""
    return {name: _redacted(kind, name, value, policy) for name, value in data.items()}


def _redacted(kind: EventType, path: str, value: JsonValue, policy: Policy) -> JsonValue:
    named = treatment(kind, path)
    if isinstance(value, dict) and _goes_on(kind, path):
        return {name: _redacted(kind, f"{path}.{name}", below, policy) for name, below in value.items()}
    if isinstance(value, list) and _goes_on(kind, path):
        return [
            {name: _redacted(kind, f"{path}.{name}", below, policy) for name, below in each.items()}
            if isinstance(each, dict)
            else OF_ANOTHER
            for each in value
        ]
    return value if policy.opens(named) else _mark(named, value)


def _goes_on(kind: EventType, path: str) -> bool:
    """Whether something below this path is decided on by itself."""
    return any(named.startswith(f"{path}.") for named in FIELDS.get(kind, {}))


def _mark(what: Treatment, value: JsonValue) -> str:
    if what is Treatment.WRITTEN and isinstance(value, str):
        return of_written(value)
    return {Treatment.STAFF: OF_STAFF, Treatment.OURS: OF_OURS}.get(what, OF_ANOTHER)


def leaves(value: JsonValue, path: str = "") -> Iterator[tuple[str, JsonValue]]:
    """Every value with its dotted path; of several in a list the path has the number, from 1."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from leaves(below, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for place, each in enumerate(value, 1):
            yield from leaves(each, f"{path} {place}" if len(value) > 1 else path)
    else:
        yield path, value
