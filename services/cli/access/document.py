"""The export as one document, for machines and to write the page from (its shape: docs/subject-access.md). Pure.

Moments are UTC, days are days. A mark in square brackets that begins with "withheld" stands for what is held back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from pydantic import JsonValue

from schemas.envelope import EventType
from schemas.roles import LADDER
from schemas.vocabulary import ProgressKind, WelfareOutcome
from services.cli.access.choose import Chosen, choose, on_another_side
from services.cli.access.gather import Held, Message
from services.cli.access.logic import decisions, facts_shown, reasons_by_destination
from services.cli.access.redact import HELD, OF_ANOTHER, REASONS, Policy, leaves, redacted
from services.cli.consulting import OPERATOR
from services.cli.looking import Row
from services.cli.picture.words import QUESTIONS
from services.cli.reporting import Line, Times
from services.router.casework.resting import CheckStatus

Because: TypeAlias = Mapping[tuple[str, str], list[str]]  # by event and destination, the sentences of shown rules

FORMAT: Final = "onward.subject-access.v1"
BY_HAND: Final = "A member of staff decided it."
CONSOLE: Final = "onward-console"
DATA_SUBJECT: Final = "data_subject"  # as the audit log names who receives it
_OURS: Final = frozenset({*ProgressKind, "stepped up", "the offered pause was agreed"})  # steps in our own words
_CONSTANT: Final = frozenset(  # what is entered in our own words
    {
        "Whoever referred somebody is told what became of it.",
        "Whoever reported or decided something is told why it cannot be so.",
    }
)
_LEG: Final = ("id", "destination", "status", "since", "priority", "due_at", "opened_at", "closed_at", "concluded_at",
               "reason", "waitlist_place", "expected_on")  # fmt: skip
_PAUSE: Final = ("id", "reason", "from_date", "until_date", "welfare_check_days", "agreed_at", "muted_until",
                 "ended_at", "ended")  # fmt: skip
_OFFER: Final = ("id", "offered_at", "answer_by", "for_days", "welfare_check_days", "reason", "answer", "answered_at")
_CHECK: Final = ("id", "pause_id", "due_on", "due_at", "status", "missed_at", "escalated_to", "outcome", "at")
_STEP_BARE: Final = frozenset({"id", "at", "from_status", "to_status"})  # of one that nothing shown caused
_STEP: Final = ("id", "at", "from_status", "to_status", "effect", "said", "occurred_at", "reason")


@dataclass(frozen=True, slots=True)
class Making:
    """Who makes an export, and what of it only the controller can say."""

    now: datetime
    organisation: str
    controller: str | None  # who answers for the data and how to reach them
    kept_for: str  # how long it is kept, in words


@dataclass(frozen=True, slots=True)
class Export:
    """The document, and what is left out of it without a mark, for whoever reviews it."""

    document: Row
    left_out: Mapping[str, int]


def export(held: Held, policy: Policy, making: Making) -> Export:
    """All that is held of a person, as far as they may have it."""
    chosen = choose(held, policy)
    answers = {
        answer for row in held.case["reviews"] if row["id"] in chosen.questions for answer in row["answers"] or ()
    }
    received = [_received(message, answers, policy) for message in held.messages if _is_shown(message, chosen)]
    because = reasons_by_destination(held, chosen, policy)
    document = {
        "format": FORMAT,
        "made_at": making.now,
        "made_by": making.organisation,
        "controller": making.controller,
        "kept_for": making.kept_for,
        "opened": {
            "narratives": policy.narratives,
            "narratives_of": sorted(policy.narratives_of),
            "staff": policy.staff,
            "all_parties": policy.all_parties,
        },
        "person": _person(held, received),
        "received": received,
        "remembered": facts_shown(held.remembered, None, held, policy),
        "decisions": decisions(held, chosen, policy),
        "services": [
            _service(leg, held, chosen, because, policy) for leg in held.case["legs"] if leg["id"] in chosen.legs
        ],
        "questions": [_question(row, held, policy) for row in held.case["reviews"] if row["id"] in chosen.questions],
        "reminders": list(_reminders(held, chosen)),
        "disclosed": [*_handed_over(held, chosen, because), *_told(held, policy)],
        "consulted": list(_consulted(held, policy)),
        "set_aside": [
            {name: row[name] for name in ("quarantined_at", "source", "reason", "resent_at")}
            for row in held.aside
            if policy.all_parties or not on_another_side(held.directory, row["source"])
        ],
        "also_kept": {"messages_that_came_again": held.repeats, "decisions_of_rules_on_trial": held.trials},
        "sources": _sources(received, held),
        "lawful_basis": sorted(
            {str(each["fields"]["lawful_basis"]) for each in received if "lawful_basis" in each["fields"]}
        ),
    }
    return Export(document, chosen.left_out)


def fields_of(document: Row) -> list[str]:
    """The names of what an export tells, for its audit entry: never a value, nor what is held back."""
    names = {
        f"received.{path}"
        for each in document["received"]
        for path, value in leaves(each["fields"])
        if " " not in path and not str(value).startswith(HELD)
    }
    return sorted({*names, *(name for name, value in document.items() if isinstance(value, dict | list) and value)})


def openable(document: Row) -> dict[str, str]:
    """Of what is in an export, the ids by which what was written in it can be opened, with the kind of each."""
    person = document["person"]
    checks = [check["id"] for leg in document["services"] for check in leg["welfare_checks"]]
    return {
        **dict.fromkeys((person["person_id"], *person["also_known_as"]), "person"),
        **dict.fromkeys((each["event_id"] for each in document["received"]), "event"),
        **dict.fromkeys((each["id"] for each in document["questions"]), "review"),
        **dict.fromkeys(checks, "welfare_check"),
    }


def _is_shown(message: Message, chosen: Chosen) -> bool:
    return message.row["event_id"] in chosen.events and message.type is not EventType.TIMER_FELL_DUE


def _received(message: Message, answers: Collection[str], policy: Policy) -> Row:
    """`answers` are those that were offered to choose from: such a one is nobody's own words."""
    row = message.row
    fields = redacted(message.type, message.data, policy.of(row["event_id"], row["person_id"]))
    if message.data.get("answer") in answers:
        fields["answer"] = message.data["answer"]
    return {
        **{name: row[name] for name in ("event_id", "kind", "source", "occurred_at")},
        "received_at": row["taken_at"],
        "their_id": row["origin_id"],
        "type": message.type.value,
        "fields": fields,
    }


def _person(held: Held, received: Iterable[Row]) -> Row:
    """Who it is, as the messages that are shown say."""
    found: dict[str, dict[str, JsonValue]] = {}
    for each in received:
        stated = each["fields"].get("person") or {"identifiers": (each["fields"].get("about") or {}).get("identifiers")}
        for path, value in leaves({name: below for name, below in stated.items() if below}):
            for one in value if isinstance(value, list) else [value]:
                found.setdefault(path, {})[str(one)] = one
    return {
        "person_id": held.person_id,
        "also_known_as": list(held.merged),  # ids of records that were joined to this one
        "known_since": min((row["created_at"] for row in held.persons), default=None),
        "stated": {path: list(values.values()) for path, values in found.items()},
        "identifiers_known_by": dict(held.kinds),
    }


def _service(leg: Row, held: Held, chosen: Chosen, because: Because, policy: Policy) -> Row:
    def of_leg(name: str) -> list[Row]:
        return [row for row in held.case[name] if row["leg_id"] == leg["id"]]

    return {
        **{name: leg[name] for name in _LEG},
        "label": held.directory.label(leg["destination"]),
        "history": [_step(row, leg, chosen, because, policy) for row in of_leg("history") if row["id"] in chosen.moves],
        "offers": [
            {name: row[name] for name in _OFFER} | {"answered_by": policy.name(row["answered_by"])}
            for row in of_leg("offers")
        ],
        "pauses": [{name: row[name] for name in _PAUSE} for row in of_leg("pauses")],
        "welfare_checks": [
            {name: row[name] for name in _CHECK}
            | {"by_whom": policy.name(row["by_whom"]), "note": policy.of(row["id"]).written(row["reason"])}
            for row in of_leg("welfare_checks")
        ],
    }


def _step(row: Row, leg: Row, chosen: Chosen, because: Because, policy: Policy) -> Row:
    known = row["event_id"] in chosen.events
    rules = _rules_of(row["event_id"], leg["destination"], row["because"], because) if known else []
    written = row["because"] if known and not rules and row["because"] not in _OURS else None
    if policy.all_parties:
        rules, written = [row["because"]], None
    return {
        **{name: row[name] if known or name in _STEP_BARE else None for name in _STEP},
        "event_id": row["event_id"] if known else None,
        "by": row["by_source"] if known else OF_ANOTHER,
        "by_user": policy.name(row["by_user"]),
        "because": rules,
        # Reasons of rules that are not shown are not written by anybody, and are left out without a mark.
        "note": policy.of(row["event_id"]).written(written) if row["decision_id"] is None or row["by_user"] else None,
    }


def _rules_of(event_id: str, destination: str, said: str, because: Because) -> list[str]:
    """The shown rules that asked for a step; or, where a human confirmed one, those that had asked for it before."""
    asked = because.get((event_id, destination), [])
    of_leg = (each for (_, to), sentences in because.items() if to == destination for each in sentences)
    return asked or [each for each in dict.fromkeys(of_leg) if each in said]


def _question(row: Row, held: Held, policy: Policy) -> Row:
    human = held.humans.get(row["id"])
    policy = policy.of(row["id"], human["event_id"] if human else None)
    closed = {*(row["answers"] or ()), *WelfareOutcome, CheckStatus.NOT_NEEDED}
    answer = row["answer"]
    destination = row["destination"] or next(
        (leg["destination"] for leg in held.case["legs"] if leg["id"] == row["leg_id"]), ""
    )
    return {
        **{name: row[name] for name in ("id", "kind", "role", "asked_at", "due_at", "answered_at", "leg_id")},
        "service": destination or None,
        "label": held.directory.label(destination) if destination else None,
        "asks": QUESTIONS.get(row["kind"], "A question"),
        "in_full": policy.written(row["question"]),
        "answers": row["answers"],
        "answer": answer if answer is None or answer in closed else policy.written(answer),
        "answered_by": None
        if answer is None
        else {
            "role": human["role"] if human else None,
            "organisation": human["organisation"] if human else None,
            "name": policy.name(row["answered_by"]),
        },
        "reason": policy.written(human["reason"]) if human else None,
    }


def _reminders(held: Held, chosen: Chosen) -> Iterable[Row]:
    for row in held.timers:
        if row["review_id"] in chosen.questions or (row["review_id"] is None and row["leg_id"] in chosen.legs):
            yield {name: row[name] for name in ("kind", "leg_id", "set_at", "due_at", "fired_at", "cancelled_at")}


def _handed_over(held: Held, chosen: Chosen, because: Because) -> Iterable[Row]:
    bases = {
        line.who: line.lawful_basis for line in held.log.lines if line.operation == "disclose" and line.lawful_basis
    }
    steps = {(row["event_id"], row["leg_id"]): row["because"] for row in held.case["history"]}
    sources = {message.row["event_id"]: message.row["source"] for message in held.messages}
    for row in sorted(held.case["deliveries"], key=lambda each: str(each["message_id"])):
        if row["leg_id"] in chosen.legs and row["event_id"] in chosen.events:
            yield {
                "to": row["destination"],
                "label": held.directory.label(row["destination"]),
                "first": row["handed_over_at"],
                "last": row["handed_over_at"],
                "times": 1,
                "what": row["action"],
                "fields": row["fields"],
                "lawful_basis": bases.get(row["destination"]),
                "because": _rules_of(
                    row["event_id"], row["destination"], steps.get((row["event_id"], row["leg_id"]), ""), because
                )
                or [BY_HAND] * (sources.get(row["event_id"]) == CONSOLE),
            }


def _told(held: Held, policy: Policy) -> Iterable[Row]:
    """What left for others than services: those who sent something, and the person."""
    for line, times in held.log.of("disclose"):
        if line.who in held.directory.places or (not policy.all_parties and on_another_side(held.directory, line.who)):
            continue
        own = [why for why in line.why if why in _CONSTANT]
        yield {
            "to": line.who,
            "label": "You" if line.who == DATA_SUBJECT else line.who,
            **_when(times),
            "what": line.purpose,
            "fields": [] if line.who == DATA_SUBJECT else list(line.fields),
            "lawful_basis": line.lawful_basis,
            "because": own + [text for why in line.why if why not in own and (text := policy.of(REASONS).written(why))],
        }


def _consulted(held: Held, policy: Policy) -> Iterable[Row]:
    """Who looked: those of one role and organisation together, unless the controller names them."""
    found: dict[tuple[str | None, str, str, str], list[tuple[Line, Times]]] = {}
    for line, times in held.log.of("consult"):
        other = not policy.all_parties and on_another_side(held.directory, line.organisation)
        role = line.role if policy.all_parties or line.role in {*LADDER, OPERATOR} else "another role"
        name = None if other else policy.name(line.who)
        found.setdefault((name, role, OF_ANOTHER if other else line.organisation, line.purpose), []).append(
            (line, times)
        )
    for (name, role, organisation, purpose), lines in found.items():
        yield {
            "name": name,
            "role": role,
            "organisation": organisation,
            "purpose": purpose,
            "first": min(times.first for _, times in lines),
            "last": max(times.last for _, times in lines),
            "times": sum(times.times for _, times in lines),
            "because": [
                text
                for why in dict.fromkeys(why for line, _ in lines for why in line.why)
                if (text := policy.of(REASONS).written(why))
            ],
        }


def _when(times: Times) -> Row:
    return {"first": times.first, "last": times.last, "times": times.times}


def _sources(received: Iterable[Row], held: Held) -> list[Row]:
    found: dict[str, Any] = {}
    for each in received:
        there = found.setdefault(
            each["source"], {"source": each["source"], "messages": 0, "first": each["received_at"]}
        )
        there |= {"messages": there["messages"] + 1, "last": each["received_at"]}
    for source, row in found.items():
        row["speaks_for"] = [held.directory.label(id_) for id_ in held.directory.speaks_for(source)]
    return list(found.values())
