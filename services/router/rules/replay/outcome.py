"""What would be done of one event, so that two of them can be held side by side: without reasons and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from services.router.rules.decide import Settled
from services.router.rules.decision import Decision, Question, Reasons, ReviewDecided
from services.router.rules.due import Due

Thing: TypeAlias = tuple[str, str]  # a part of an outcome, and what of it: ("routes", "dapp")
How: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is done, each thing with how, and the rules that ask for it."""

    done: frozenset[tuple[Thing, How]]
    asked_by: dict[Thing, tuple[str, ...]]

    @classmethod
    def of(cls, settled: Settled) -> Outcome:
        """Of what follows from which rules hold."""
        combined = settled.combined
        parts = (
            ("routes", combined.routes.values()),
            ("offers", combined.offers.values()),
            ("resumes", combined.resumes.values()),
            ("holds", combined.holds.values()),
            ("notifies", combined.notifies.values()),
            ("escalations", combined.escalations.values()),
            ("records", combined.records.values()),
            ("withheld", combined.withheld),
        )
        things = [_thing(part, item) for part, items in parts for item in items]
        return cls._made(things, settled.reviews, settled.questions)

    @classmethod
    def of_decision(cls, decision: Decision) -> Outcome:
        """Of a whole decision."""
        parts = ("routes", "offers", "resumes", "holds", "notifies", "escalations", "records", "withheld")
        things = [_thing(part, item) for part in parts for item in getattr(decision, part)]
        return cls._made(things, decision.reviews, decision.questions)

    @classmethod
    def _made(
        cls,
        things: list[tuple[Thing, How, Reasons]],
        reviews: tuple[ReviewDecided, ...],
        questions: tuple[Question, ...],
    ) -> Outcome:
        done = [(thing, how) for thing, how, _ in things]
        asked_by = {thing: tuple(reason.rule for reason in reasons) for thing, _, reasons in things}
        for review in reviews:
            thing = ("reviews", f"{review.role}: {review.question}")
            done.append((thing, (review.due,)))
            asked_by[thing] = tuple(reason.rule for reason in review.reasons)
        for question in questions:
            thing = ("questions", question.fact)
            done.append((thing, (question.due,)))
            asked_by[thing] = question.rules
        return cls(frozenset(done), asked_by)

    @property
    def routes(self) -> tuple[str, ...]:
        """The destinations that are routed to, sorted."""
        return tuple(sorted(what for (part, what), _ in self.done if part == "routes"))

    def beyond(self, other: Outcome) -> Iterator[str]:
        """What of this is not so in the other, in words, in order."""
        for (part, what), how in sorted(self.done - other.done, key=lambda each: each[0]):
            yield _in_words(part, what, how)


def _thing(part: str, item: tuple[object, ...]) -> tuple[Thing, How, Reasons]:
    """An item of a decision: its name, how it is done, and its reasons, which stand last."""
    reasons: Reasons = item[-1]  # type: ignore[assignment] # of every part
    if part == "notifies":
        return (part, f"{item[0]}: {item[1]}"), (), reasons
    if part == "withheld":
        return (part, str(item[0])), (item[1], tuple(sorted(reason.rule for reason in item[2]))), reasons  # type: ignore[attr-defined]
    return (part, str(item[0])), item[1:-1], reasons


def _in_words(part: str, what: str, how: How) -> str:
    match part, how:
        case "routes", (priority, due, tier, confirm):
            more = f"{', a floor' if tier == 'floor' else ''}{', once a human confirms it' if confirm else ''}"
            return f"route to {what}, priority {priority}, due in {due}{more}"
        case "offers", (for_days, check_days, within):
            return f"offer a pause of {what} for {for_days} days, a check every {check_days}, to answer in {within}"
        case "resumes", _:
            return f"propose to resume {what}"
        case "withheld", (priority, held_back_by):
            by = ", ".join(held_back_by) if isinstance(held_back_by, tuple) else ""
            return f"held back: {what}, priority {priority}, by {by}"
        case "notifies", _:
            return f"tell {what}"
        case "records", _:
            return f"record: {what}"
        case "questions", (Due() as due,):
            return f"ask for {what} in {due}"
        case "holds", (Due() as due,):
            return f"hold: {what} (in {due})"
        case "escalations", (Due() as due,):
            return f"escalate to {what} in {due}"
    return f"review by {what} (in {', '.join(map(str, how))})"
