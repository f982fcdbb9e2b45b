"""A rule set as it is used: checked, complete, its conditions made into Python, known by a digest of its meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from services.router.rules.calendar import Calendar
from services.router.rules.combine import Combined, Wishes, wishes_of
from services.router.rules.compile import Explainer, Matcher, compile_explainer, compile_matchers
from services.router.rules.declarations import Fact, FromEvent, Measure
from services.router.rules.directory import Capacity, ServiceStatus
from services.router.rules.due import Due
from services.router.rules.events import EventKind
from services.router.rules.extract import Plan, plan_for
from services.router.rules.language import Condition, Otherwise, Rule
from services.router.rules.pathway import Pathway
from services.router.rules.promises import Invariant

# By their places among the rules: those that certainly hold, and those that are acted on all the same.
Places: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]


SourceHears: TypeAlias = Literal["outcome", "answer", "nothing"]  # answer: whether it took him on, and no more
FIRST_CONTACT_WITHIN: Final = Due(working_days=5)  # where a destination names no other time


@dataclass(frozen=True, slots=True)
class Destination:
    """A service that a person can be routed to, or that is told for the other party's or the panel's sake."""

    id: str
    label: str
    kind: str
    side: Literal["person", "other_party", "panel"]
    voluntary: bool  # consent to share can stop a route there
    consent_needed: bool  # nothing is sent before consent is given
    minimum_age: int | None
    maximum_age: int | None  # the last year of age that is taken
    service_areas: tuple[str, ...] | None  # None: everywhere
    source: str  # the source that may report progress on its legs
    acknowledge_within: Due
    share: tuple[str, ...]  # the fields that may leave, as dotted paths; a path covers what is below it
    channel: Literal["queue"]
    serves: str  # the kind of need; destinations with the same one can do each other's job
    first_contact_within: Due = FIRST_CONTACT_WITHIN  # of its acceptance
    source_hears: SourceHears = "outcome"  # of a referral, as far as its side lets them
    instead: tuple[str, ...] = ()  # of those, which to try first where this one cannot take somebody
    status: ServiceStatus = ServiceStatus.ACTIVE
    capacity: Capacity | None = None  # None: the directory does not say; the service itself will
    eligibility_description: str | None = None  # these three are for people to read
    wait_time: str | None = None
    application_process: str | None = None


@dataclass(frozen=True)
class RuleSet:
    """One version of the rules. What `decide` needs beside is made once, when it is first asked for."""

    digest: str  # "sha256:..." of what it means; layout, comments and the order of files are no part of that
    facts: Mapping[str, Fact]
    destinations: Mapping[str, Destination]
    calendar: Calendar
    rules: tuple[Rule, ...]  # by id
    otherwise: Otherwise
    pathway: Pathway  # where legs stand, and how they may move
    terms: Mapping[str, Condition] = field(default_factory=dict, repr=False, compare=False)  # written out in the rules
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)  # that say so, by their paths
    invariants: tuple[Invariant, ...] = ()  # what is promised of every decision, by id; proved, never run
    settled: dict[Places, Combined] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )  # outcomes worked out before

    @cached_property
    def matchers(self) -> Mapping[str, Matcher]:
        """For each kind of event what tells which rules hold."""
        return MappingProxyType(compile_matchers(self.rules, self.facts, [kind.value for kind in EventKind]))

    @cached_property
    def why_they_hold(self) -> Mapping[str, Explainer]:
        """Of each rule, what tells which tests make it hold."""
        made = {rule.id: compile_explainer(rule.when, self.facts, "what makes it hold") for rule in self.rules}
        return MappingProxyType(made)

    @cached_property
    def why_they_act(self) -> Mapping[str, Explainer]:
        """Of each floor that acts on the unknown, what tells which tests speak for it."""
        acting = [rule for rule in self.rules if rule.if_unknown == "act"]
        return MappingProxyType(
            {rule.id: compile_explainer(rule.when, self.facts, "what speaks for it") for rule in acting}
        )

    @cached_property
    def her_sources(self) -> frozenset[str]:
        """The sources that speak for the other party's services, and so for none of the person's: see the loader."""
        return frozenset(each.source for each in self.destinations.values() if each.side == "other_party")

    @cached_property
    def wishes(self) -> tuple[Wishes, ...]:
        """What each rule asks for, in the order of the rules."""
        return tuple(wishes_of(rule) for rule in self.rules)

    @cached_property
    def plans(self) -> Mapping[EventKind, Plan]:
        """For each kind of event how its facts are got."""
        return MappingProxyType({kind: plan_for(self.facts, kind) for kind in EventKind})

    @cached_property
    def remembered_as(self) -> Mapping[tuple[str, Measure], Mapping[str, tuple[str, ...]]]:
        """Of a field and what is made of it: the facts that keep it, and the areas that they ask for."""
        return MappingProxyType(_remembered_as(self.facts.values()))

    @cached_property
    def some_are_dated(self) -> bool:
        """Is any rule in force on some days only?"""
        return any(_dated(rule) for rule in self.rules)

    def in_force(self, day: date) -> tuple[Rule, ...]:
        """The rules that apply on a day."""
        return tuple(rule for rule in self.rules if rule.in_force(day))


def _remembered_as(facts: Iterable[Fact]) -> dict[tuple[str, Measure], dict[str, tuple[str, ...]]]:
    found: dict[tuple[str, Measure], dict[str, tuple[str, ...]]] = {}
    for fact in facts:
        if isinstance(fact.source, FromEvent) and fact.source.remembered:
            for each in fact.source.fields:
                found.setdefault((each.path, fact.source.measure), {})[fact.name] = fact.source.among
    return found


def _dated(rule: Rule) -> bool:
    return rule.from_day is not None or rule.until_day is not None
