"""The picture in a terminal: as wide as it is, with and without colours."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from services.cli.picture.compose import compose
from services.cli.picture.records import CaseRows
from services.cli.picture.terminal import Drawn
from tests.support.pictures import DIRECTORY, the_case, the_long_case

CASES = {"the case": the_case, "the long case": the_long_case}


def printed(rows: CaseRows, now: object, width: int) -> list[str]:
    output = io.StringIO()
    picture = compose(rows, DIRECTORY, now, "ops")  # type: ignore[arg-type]
    Console(file=output, width=width).print(Drawn(picture))
    return output.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("name", CASES)
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    lines = printed(*CASES[name](), width)
    assert max(map(cell_len, lines)) <= width


def test_each_leg_has_a_lane_and_each_status_its_own_character() -> None:
    lines = printed(*the_case(), 120)
    lane = next(line for line in lines if line.startswith("Domestic abuse perpetrator"))
    assert "┄" in lane
    assert lane.index("━") < lane.index("░") < lane.index("│"), "in the order of time"
    marks = lines[lines.index(lane) + 1]
    assert marks.startswith("  Paused")
    assert marks.count("○") == 3
    assert marks.count("✗") == marks.count("□") == 1
    assert any(line.startswith("! Victim safety") for line in lines)
    assert any("!" in line and "never for the person" in line for line in lines)


def test_it_begins_with_the_warning_and_what_is_late_and_next() -> None:
    lines = printed(*the_case(), 120)
    assert lines[1].strip() == "Do not show to the person: contains the victim-safety leg"
    assert lines[3].startswith("Late: ")
    assert any(line.startswith("Next: Mon 11 Jan 2027, 09:00 (in 4 days)") for line in lines)


def test_what_somebody_wrote_is_no_markup_and_steers_nothing() -> None:
    rows, now = the_case()
    questions = tuple(replace(question, question="[red]x[/odd]\x1b[2J") for question in rows.questions)
    said = "\n".join(printed(replace(rows, questions=questions), now, 200))
    assert "[red]x[/odd]\ufffd[2J" in said
    assert "\x1b" not in said
