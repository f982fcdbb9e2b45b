"""The parts of the page that tell what was reported, how referrals went, and how it was decided. Pure."""

from __future__ import annotations

from typing import Final

from services.cli.access.redact import HELD, leaves
from services.cli.access.sheet import Cells, bullets, pairs, paragraph, table
from services.cli.access.words import INTERNAL, by_source, field_label, lower, sentence, value_text
from services.cli.looking import Row
from services.cli.picture.markup import Markup, element
from services.cli.picture.words import day, event_label, local, local_day, several, status_label

STAYS: Final = {"moved": "Asked to do more", "noted": "Noted"}  # of a step that leaves a referral where it stands

ASKS: Final = {"welfare_check": "How are you?", "link": "Are you somebody that we know?"}  # said to the person


def who(document: Row) -> list[Markup]:
    """Who the person is, as they were named to us."""
    person = document["person"]
    rows = [
        (field_label(f"person.{path}"), ", ".join(value_text(path, each) for each in values))
        for path, values in person["stated"].items()
    ]
    rows.append(("Our own number for you", person["person_id"]))
    if person["also_known_as"]:
        rows.append(("Records that were joined to yours", ", ".join(person["also_known_as"])))
    if person["known_since"] is not None:
        rows.append(("Known to us since", local_day(person["known_since"])))
    return [pairs(rows)]


def received(document: Row) -> list[Markup]:
    """Every report, field by field."""
    found = [paragraph("Each report as it was sent to us, the oldest first.")]
    for each in document["received"]:
        heading = f"{event_label(each['kind'])}, {local(each['occurred_at'])}"
        fields = [(path, value) for path, value in leaves(each["fields"]) if path not in INTERNAL and path != "kind"]
        rows = [(field_label(path), value_text(path, value)) for path, value in fields if path != "occurred_at"]
        sent = f"From {lower(by_source(each['source'], document))}, received {local(each['received_at'])}."
        sent += _number(each["event_id"], document)
        found += [element("h3", None, heading), paragraph(sent, note=True)]
        found += [pairs(rows)] if rows else []
    if not document["received"]:
        found.append(paragraph("Nothing that can be given to you."))
    return found


def _number(id_: str, document: Row) -> str:
    """By what a record is named in `--narratives-of`: for the review alone."""
    return f" Number: {id_}" if document["opened"]["all_parties"] else ""


def services(document: Row) -> list[Markup]:
    """Every referral with its course."""
    found = []
    for leg in document["services"]:
        found.append(element("h3", None, leg["label"]))
        now = [
            f"{status_label(leg['status'])} since {local_day(leg['since'])}; referred on {local_day(leg['opened_at'])}."
        ]
        if leg["waitlist_place"]:
            now.append(f"Your place on the waiting list: {leg['waitlist_place']}.")
        if leg["expected_on"]:
            now.append(f"Expected on {day(leg['expected_on'])}.")
        found.append(paragraph(" ".join(now)))
        found.append(
            table(("When", "What happened", "Who said so", "Why"), [_step(row, document) for row in leg["history"]])
        )
        found += _around(leg, document)
    return found or [paragraph("You were not referred to a service that can be named here.")]


def _step(row: Row, document: Row) -> Cells:
    moved = row["from_status"] != row["to_status"]
    what = (
        status_label(row["to_status"])
        if moved
        else STAYS.get(said := str(row["said"] or row["effect"] or "noted"), sentence(said))
    )
    why = [*row["because"], *([row["note"]] if row["note"] else [])]
    return (local(row["at"]), what, _by(row, document), why)


def _by(row: Row, document: Row) -> str:
    return row["by"] if row["by"].startswith("[") else by_source(row["by"], document)


def _around(leg: Row, document: Row) -> list[Markup]:
    """What was offered, agreed and checked beside the course of a referral."""
    said = []
    for offer in leg["offers"]:
        answer = (
            f"{sentence(offer['answer'])} {local_day(offer['answered_at'])}" if offer["answer"] else "Not answered yet"
        )
        said.append(
            f"A pause of {several(offer['for_days'], 'day')} was offered on {local_day(offer['offered_at'])}. {answer}."
        )
    for pause in leg["pauses"]:
        ended = f" It ended on {local_day(pause['ended_at'])}." if pause["ended_at"] else ""
        said.append(
            f"A pause ({lower(sentence(pause['reason']))}) was agreed on {local_day(pause['agreed_at'])}, from "
            f"{day(pause['from_date'])} to {day(pause['until_date'])}, with a welfare check every "
            f"{several(pause['welfare_check_days'], 'day')}.{ended}"
        )
    found = [bullets(said)] if said else []
    if leg["welfare_checks"]:
        rows = [
            (
                day(check["due_on"]),
                sentence(check["status"])
                + (", after it was missed" if check["missed_at"] and check["status"] == "done" else ""),
                sentence(check["outcome"]) if check["outcome"] else "",
                [check["note"] + _number(check["id"], document)] if check["note"] else "",
            )
            for check in leg["welfare_checks"]
        ]
        found.append(table(("Welfare check due", "What became of it", "What it found", "What was written"), rows))
    return found


def decisions(document: Row) -> list[Markup]:
    """What rules decided, and on what."""
    found = [
        paragraph(
            "Written rules propose what is done when a report comes in. A computer follows them; people can change "
            "what it proposed, and some steps wait for a person. Below are the rules that led to something for you, "
            'what they looked at, and where that came from. They say "he" of whoever was referred.'
        )
    ]
    for each in document["decisions"]:
        if not each["done"] or not each["rules"]:
            continue
        found.append(element("h3", None, f"{event_label(each['kind'])}, decided {local(each['decided_at'])}"))
        done = [
            f"{row['label']}: {row['what']}{', after ' + row['after'] if 'after' in row else ''}."
            for row in each["done"]
        ]
        found.append(bullets(done))
        rows = [
            (rule["because"], [_fact(test) for test in rule["tests"] if test["fact"] != "event"])
            for rule in each["rules"]
        ]
        found.append(table(("Rule", "What it looked at, and where that came from"), rows))
    quiet = sum(not each["done"] or not each["rules"] for each in document["decisions"])
    if quiet:
        found.append(paragraph(f"{several(quiet, 'further report')} led to nothing new for you by these rules."))
    return found


def _fact(test: Row) -> str:
    value = test["label"] or lower(value_text(test["fact"], test["value"]))
    return f"{_meaning(test)} {value} ({test['origin']})"


def _meaning(test: Row) -> str:
    """What a fact is, from its sentence in the rule set: a question stays one."""
    says = (test["meaning"] or sentence(test["fact"])).partition(". ")[0].rstrip(".")
    return says if says.endswith("?") else f"{says}:"


def questions(document: Row) -> list[Markup]:
    """What people were asked, and answered."""
    rows = [
        (local(each["asked_at"]), _asked(each, document), sentence(each["role"]), _answered(each))
        for each in document["questions"]
    ]
    if not rows:
        return [paragraph("Nothing that can be given to you.")]
    return [table(("When", "Question", "Asked of", "Answer"), rows)]


def _asked(each: Row, document: Row) -> list[str]:
    opened = [] if each["in_full"].startswith(HELD) else [each["in_full"] + _number(each["id"], document)]
    return [str(ASKS.get(each["kind"], each["asks"])) + (f" ({each['label']})" if each["label"] else ""), *opened]


def _answered(each: Row) -> list[str]:
    """What was answered, by whom and when."""
    if not each["answer"]:
        return ["No answer yet"]
    by = each["answered_by"]
    who = ", ".join(lower(sentence(part)) for part in (by["role"], by["organisation"]) if part)
    name = by["name"] if by["name"] and not by["name"].startswith("[") else None
    reason = f"Reason: {each['reason']}" if each["reason"] else None
    return [part for part in (value_text("", each["answer"]), who, name, local(each["answered_at"]), reason) if part]
