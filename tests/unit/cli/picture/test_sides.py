"""What a worker on the person's side may see: nothing of the other party, by name, id, time or anybody's words."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from services.cli.picture import compose as composing
from services.cli.picture.compose import compose
from services.cli.picture.html import page
from services.cli.picture.model import Picture
from services.cli.picture.records import CaseRows, Directory, Place, QuestionRow
from services.cli.picture.sides import person_side
from services.cli.picture.svg import standalone
from services.cli.picture.terminal import Drawn
from tests.support.pictures import DIRECTORY, Making, moment, the_case

SECRET = "SECRET"  # noqa: S105 - what nobody on the other side may read


def in_a_terminal(picture: Picture) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(Drawn(picture))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


RENDERERS: dict[str, Callable[[Picture], str]] = {"terminal": in_a_terminal, "svg": standalone, "html": page}


def all_of(rows: CaseRows, now: datetime, viewer: composing.Viewer = "person-side") -> str:
    """Everything that any renderer says of a case."""
    picture = compose(rows, DIRECTORY, now, viewer)
    return "\n".join(render(picture) for render in RENDERERS.values())


def a_case_with_secrets() -> tuple[CaseRows, datetime]:
    """The case, with something of the other party's wherever it could be. All of it has SECRET in a text or an id."""
    rows, now = the_case()
    rows = replace(
        rows,
        legs=tuple(replace(leg, id=hidden(leg.id)) for leg in rows.legs),
        moves=tuple(replace(m, leg_id=hidden(m.leg_id), because=f"{SECRET}: she has moved house") for m in rows.moves),
        sent=tuple(replace(sent, leg_id=hidden(sent.leg_id)) for sent in rows.sent),
        events=tuple(
            replace(event, leg_id=hidden(event.leg_id or "") or None, reasons=(f"{SECRET}: she is afraid",))
            for event in rows.events
        ),
        questions=tuple(replace(q, question=f"{SECRET}: is her address known?") for q in rows.questions),
        checks=tuple(replace(check, reason=f"{SECRET}: seen at her door") for check in rows.checks),
    )
    case = Making()
    case.rows = rows
    safety = hidden("leg-victim_safety")
    hers = case.event(now, "new_incident", "victim-safety-northshire")
    case.sent(now, "leg-dapp", "step_up", hers)  # the programme was told something, cut; not by whom
    case.event(now, "breach_of_order", "secret-source")  # reached nobody on the person's side
    case.event(now, "threat", "marac-northshire")
    answer = case.question(now, now, f"{SECRET}?", hers, leg=safety, role="secret_role", answered=now)
    case.event(now, "decision_answer_review", "console-secret", review=answer)
    case.question(now, now, f"{SECRET}?", hers, leg="leg-dapp", role="secret_role")
    case.question(now, now, f"{SECRET}?", hers, role="secret_role", kind="link")
    case.question(now, now, f"{SECRET}?", hers, role="secret_role", destination="marac")
    case.offer(now, safety, hers, SECRET)
    case.check(now, safety, SECRET)
    case.timer(now, "secret_timer", leg=safety)
    case.timer(now, "secret_timer", review=answer)
    case.timer(now, "secret_timer")
    return case.rows, now


def hidden(leg: str) -> str:
    return leg.replace("victim_safety", f"{SECRET}-safety")


def test_nothing_of_the_other_side_is_in_what_a_programme_worker_sees() -> None:
    said = all_of(*a_case_with_secrets()).casefold()
    for word in (
        SECRET,
        "victim",
        "new incident",
        "breach",
        "threat",
        "marac",
        "other side",
        "never for",
        "do not show",
    ):
        assert word.casefold() not in said, word
    assert "domestic abuse perpetrator programme" in said
    assert "relapse" in said, "what the programme itself said is there"
    assert "referral" in said, "and what it was told by the police"


def test_all_of_it_would_be_found_in_what_ops_see() -> None:
    said = all_of(*a_case_with_secrets(), "ops").casefold()
    for word in (SECRET, "victim", "new incident", "breach", "threat", "secret-source", "console-secret", "other side"):
        assert word.casefold() in said, word


@pytest.mark.parametrize("table", ["legs", "events", "questions", "checks", "moves"])
def test_each_part_of_the_filter_is_needed(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, now = a_case_with_secrets()
    filtered = person_side(rows, DIRECTORY)
    leaky = replace(filtered, **{table: getattr(rows, table)})
    monkeypatch.setattr(composing, "person_side", lambda rows, directory: leaky)
    if table == "legs":  # a lane needs its history
        leaky = replace(leaky, moves=rows.moves)
    assert SECRET in all_of(rows, now) or "secret" in all_of(rows, now)


@pytest.mark.parametrize("renderer", RENDERERS)
def test_ops_are_warned_in_every_form_and_nobody_else(renderer: str) -> None:
    rows, now = the_case()
    warning = "Do not show to the person: contains the victim-safety leg"
    assert warning in RENDERERS[renderer](compose(rows, DIRECTORY, now, "ops"))
    assert warning not in RENDERERS[renderer](compose(rows, DIRECTORY, now, "person-side"))


def test_ops_are_warned_of_any_case() -> None:
    case = Making()
    event = case.event(moment(2026, 3, 2), "referral", "northshire-police")
    assert str(compose(case.rows, DIRECTORY, moment(2026, 3, 3), "ops").warning).startswith("Do not show")
    case.leg(moment(2026, 3, 2), "marac", event)
    assert "other party's side" in str(compose(case.rows, DIRECTORY, moment(2026, 3, 3), "ops").warning)


def test_a_source_that_speaks_for_both_sides_is_left_out() -> None:
    rows, now = the_case()
    both = {**DIRECTORY.places, "victim_safety": Place("Advisers", "other_party", "dapp-northshire")}
    kinds = {event.says for event in compose(rows, Directory(both), now, "person-side").events}
    assert "Relapse" not in kinds, "it cannot be told who said it"
    assert "Referral" in kinds


def test_where_no_side_is_known_nothing_is_shown() -> None:
    rows, now = the_case()
    picture = compose(rows, Directory(), now, "person-side")
    assert (picture.lanes, picture.events, picture.questions, picture.checks, picture.rests) == ((), (), (), (), ())


def test_questions_about_a_leg_of_ours_stay_in_our_own_words() -> None:
    rows, now = the_case()
    questions = compose(rows, DIRECTORY, now, "person-side").questions
    assert [(question.says, question.role) for question in questions] == [
        ("May this referral be made?", "duty worker"),
        ("Brought before this role", "programme manager"),
    ]


WRITTEN = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).map(lambda text: f"{SECRET} {text}")


@given(WRITTEN, st.sampled_from(("marac", "unheard_of")))
def test_whatever_anybody_wrote_and_whichever_leg_it_is_about_it_stays_with_ops(text: str, destination: str) -> None:
    rows, now = the_case()
    case = Making()
    case.rows = rows
    told = case.event(now, "contextual", "northshire-police", leg="leg-dapp")
    case.move(now, "leg-dapp", "on_programme", told, text)
    case.question(now, now, text, told, leg="leg-dapp", answered=now)
    case.check(now, "leg-dapp", "missed", reason=text)
    case.move(now, "leg-victim_safety", "withdrawn", told, text)
    other = case.leg(now, destination, told)
    case.move(now, other, "withdrawn", told, text)
    answered: tuple[QuestionRow, ...] = tuple(replace(q, answer=text, answered_by=text) for q in case.rows.questions)
    picture = compose(replace(case.rows, questions=answered), DIRECTORY, now, "person-side")
    said = standalone(picture) + page(picture)
    assert SECRET not in said
    assert other not in said
