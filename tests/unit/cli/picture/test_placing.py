"""Words that fit their room, and marks that never touch, however many there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.cli.picture.placing import cut, in_rows, width_of, wrap

TEXTS = st.text(max_size=120)


@given(TEXTS, st.floats(min_value=20, max_value=400), st.booleans())
def test_what_is_cut_fits_and_says_that_it_was_cut(text: str, room: float, bold: bool) -> None:
    short = cut(text, 12, room, bold=bold)
    assert width_of(short, 12, bold=bold) <= room
    assert short == text or short.endswith("\u2026")


@given(TEXTS, st.floats(min_value=20, max_value=400), st.integers(min_value=1, max_value=4))
def test_every_line_fits_and_no_word_is_lost_unseen(text: str, room: float, most: int) -> None:
    lines = wrap(text, 12, room, most=most)
    assert 1 <= len(lines) <= most
    assert all(width_of(line, 12) <= room for line in lines)
    whole = " ".join(text.split())
    assert " ".join(lines) == whole or any(line.endswith("\u2026") for line in lines)


@given(
    st.lists(st.floats(min_value=0, max_value=1000), min_size=1, max_size=80),
    st.integers(min_value=1, max_value=4),
)
def test_numbered_marks_never_touch_and_each_is_there_once(places: list[float], rows: int) -> None:
    places.sort()
    placed = in_rows(places, [18.0] * len(places), joined=44.0, rows=rows, gap=2, bounds=(0, 1000))
    shown = [index for mark in placed for index in range(mark.first, mark.last + 1)]
    assert shown == list(range(len(places)))
    assert max(mark.row for mark in placed) < rows
    for number, one in enumerate(placed):
        assert one.width / 2 <= one.x <= 1000 - one.width / 2
        for other in placed[number + 1 :]:
            assert one.row != other.row or abs(one.x - other.x) >= (one.width + other.width) / 2 + 2 - 0.001


def test_what_has_room_stays_apart_where_it_happened() -> None:
    placed = in_rows([10, 100, 105], [18, 18, 18], joined=44, rows=2, gap=2, bounds=(0, 200))
    assert [(mark.first, mark.last, mark.x, mark.row) for mark in placed] == [
        (0, 0, 10, 0),
        (1, 1, 100, 0),
        (2, 2, 105, 1),
    ]


def test_the_nearest_become_one_where_rows_run_out() -> None:
    placed = in_rows([10, 100, 105, 150], [18] * 4, joined=44, rows=1, gap=2, bounds=(0, 200))
    assert [(mark.first, mark.last) for mark in placed] == [(0, 0), (1, 2), (3, 3)]
