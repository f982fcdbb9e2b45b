"""Events to send: the published examples, changed where a test needs it."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
_numbers = itertools.count(1)

Event = dict[str, Any]


def example(name: str, **changes: object) -> Event:
    """A published example, e.g. `referral-assault-on-partner`, under an id of its own.

    `changes` set envelope attributes (`id=...`) or, with underscores for the steps, fields of the data
    (`person__name__given=...`).
    """
    event: Event = json.loads((EXAMPLES / f"{name}.json").read_text())
    event["id"] = f"{name}-{next(_numbers)}"
    for path, value in changes.items():
        _set(event if path in event else event["data"], path.split("__"), value)
    return event


def referral(**changes: object) -> Event:
    """The referral of the case: an assault on a partner, a smashed phone, threats to kill."""
    return example("referral-assault-on-partner", **changes)


def referral_of(number: int, **changes: object) -> Event:
    """A referral of the n-th of many different persons, known by probation number alone."""
    person = {
        "identifiers": {"crn": f"X{number:06d}"},
        "name": {"given": f"Given{number}", "family": f"Family{number}"},
        "date_of_birth": "1985-04-12",
        "postcode_outward": "LS6",
    }
    return referral(id=f"referral-{number}", reference=f"REF-{number}", person=person, **changes)


def risk(name: str = "risk-relapse", **changes: object) -> Event:
    """A risk event from the examples."""
    return example(name, **changes)


def _set(into: Event, steps: list[str], value: object) -> None:
    *above, last = steps
    for step in above:
        into = into.setdefault(step, {})
    into[last] = copy.deepcopy(value)


def decision(kind: str, *, role: str = "case_manager", by: str = "j.smith", **more: object) -> Event:
    """A human's decision, from the console. `more` are fields of the data, or `source`."""
    by_whom = {"decided_by": {"user": by, "role": role, "organisation": "Northshire hub"}}
    event = example("decision-answer-review", source=more.pop("source", "onward-console"))
    said = {"kind": kind, **by_whom, "decided_at": event["time"], "reason": "I spoke with the force."}
    return {**event, "data": {**said, **more}}
