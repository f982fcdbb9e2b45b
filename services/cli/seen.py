"""Which records are on the screen when a question or a leg is printed: what was seen is kept with the decision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.cli.looking import Row

LAST_STEPS: Final = 5  # of a leg's history
LAST_CHECKS: Final = 2  # of those that are over
NEXT_CHECKS: Final = 3  # of those that are open
MOST: Final = 100  # that a decision can name


def steps_of(leg: Row, steps: int) -> list[Row]:
    """The last steps of a leg's history."""
    return list(leg["history"][-steps:]) if steps else []


def checks_of(leg: Row) -> tuple[list[Row], list[Row]]:
    """The welfare checks that are told of a leg: of those that are over, and of those that are open."""
    return list(leg["checks_before"][-LAST_CHECKS:]), list(leg["checks"][:NEXT_CHECKS])


def on_screen(question: Row | None, leg: Row | None) -> list[str]:
    """The ids of all that is printed of a question with its leg, and of the leg that is decided on, each once."""
    found = [*(_of_question(question) if question else ()), *(_of_leg(leg) if leg else ())]
    return list(dict.fromkeys(found))[:MOST]


def _of_question(row: Row) -> Iterator[str]:
    yield from (str(row["id"]), str(row["person_id"]))
    if row["event"]:
        yield str(row["event"]["event_id"])
    if (row["because"] or row["hangs_on"]) and row["decision_id"]:
        yield str(row["decision_id"])
    yield from row["perhaps"] or ()
    yield from (str(human["event_id"]) for human in row["decided"])
    if row["leg"]:
        yield from _of_leg(row["leg"])


def _of_leg(row: Row) -> Iterator[str]:
    yield str(row["id"])
    over, still = checks_of(row)
    records = [row["offer"], row["pause"], *over, *still, *steps_of(row, LAST_STEPS), *row["beside"]]
    yield from (str(record["id"]) for record in records if record)
