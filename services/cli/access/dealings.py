"""The parts of the page that tell who was told, who looked, why it is held, and what the person can do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from services.cli.access.sheet import bullets, paragraph, table
from services.cli.access.words import LOOKED, WHAT, by_source, field_label, lower, organisation, sentence
from services.cli.looking import Row
from services.cli.picture.markup import Markup
from services.cli.picture.words import local_day, several

NOBODY: Final = "the organisation that gave you this document"  # where no controller is set
_WITH: Final[Mapping[str, str]] = {  # what is disclosed under a name that covers several fields
    "person.name": "Your name",
    "needs": "Your needs",
    "orders": "Orders that bind you",
    "outcome": "What became of it",
    "destination": "Which service",
    "kind": "What happened",
    "occurred_at": "When it happened",
    "accepts_help": "Whether you want help",
    "incident.weapons": "Whether a weapon was used",
    "risk.reviewed_level": "How high it was judged after a second look",
    "context": "What weighs on you",
    "reason": "What was wrong",
    "problems": "Where",
    "allowed": "What would be possible",
}


def disclosed(document: Row) -> list[Markup]:
    """Whom something was told."""
    rows = [
        (
            _when(each),
            each["label"] if each["label"][:1].isupper() else organisation(each["label"]),
            [WHAT.get(each["what"], sentence(each["what"])), *_with(each["fields"])],
            [*each["because"], *_basis(each["lawful_basis"])],
        )
        for each in document["disclosed"]
    ]
    if not rows:
        return [paragraph("Nothing was told to anybody who can be named here.")]
    return [table(("When", "Whom", "What", "Why"), rows)]


def _basis(basis: str | None) -> list[str]:
    return [f"Legal ground: {lower(sentence(basis))}"] if basis else []


def _with(paths: Iterable[str]) -> list[str]:
    named = dict.fromkeys(_WITH.get(path) or field_label(path) for path in paths)
    return [f"With: {'; '.join(named)}."] if named else []


def _when(each: Row) -> str:
    days = _days(each["first"], each["last"])
    return days if each["times"] == 1 else f"{several(each['times'], 'time')}, {days}"


def _days(first: datetime, last: datetime) -> str:
    one, other = local_day(first), local_day(last)
    return one if one == other else f"{one} to {other}"


def consulted(document: Row) -> list[Markup]:
    """Who looked, by role and organisation."""
    rows = []
    for each in document["consulted"]:
        who = f"{sentence(each['role'])}, {each['organisation']}"
        named = each["name"] is not None and not each["name"].startswith("[")
        what_for = LOOKED.get(each["purpose"], sentence(each["purpose"]))
        rows.append((_when(each), f"{each['name']}, {lower(who)}" if named else who, what_for, each["because"]))
    if not rows:
        return [paragraph("The audit log has nobody who looked at it by hand before this document was made.")]
    return [table(("When", "Who", "What for", "Why, as they wrote"), rows)]


def why(document: Row) -> list[Markup]:
    """What for, by which right, from where, for how long."""
    sources = [
        f"{by_source(row['source'], document)}: {several(row['messages'], 'report')}, "
        f"{_days(row['first'], row['last'])}."
        for row in document["sources"]
    ]
    bases = ", ".join(lower(sentence(basis)) for basis in document["lawful_basis"]) or "none was stated"
    return [
        paragraph(
            "It is held to refer you to services that can help you stop causing harm, to keep up with how that goes, "
            "and to keep people safe, you among them."
        ),
        paragraph(
            f"The legal ground that those who referred you gave: {bases}. Whether you agreed to sharing is a separate "
            "question."
        ),
        paragraph("Where it came from:"),
        bullets(sources),
        *_also(document),
        paragraph(document["kept_for"]),
    ]


def _also(document: Row) -> list[Markup]:
    kept = document["also_kept"]
    copies, trials, aside = kept["messages_that_came_again"], kept["decisions_of_rules_on_trial"], document["set_aside"]
    found = [f"{several(copies, 'report')} as sent a second time"] if copies else []
    found += ["what rules on trial would have decided, which had no effect"] if trials else []
    found += [f"{several(len(aside), 'message')} that could not be used as sent"] if aside else []
    return [paragraph(f"Also kept: {'; '.join(found)}.")] if found else []


def rights(document: Row) -> list[Markup]:
    """What the person can do about it."""
    return [
        paragraph(
            f"If something here is wrong, ask {document['controller'] or NOBODY} to correct it or to add what you say "
            "about it. You may ask that it is erased or no longer used, and they must answer. If you think that a "
            "decision was wrong, or that a computer should not have made it alone, tell them so: you may say how you "
            "see it, and a person must look at it again. If you are not content with the answer you may complain to "
            "them and to the Information Commissioner's Office, or go to court."
        )
    ]
