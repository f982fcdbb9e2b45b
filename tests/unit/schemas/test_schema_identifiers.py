from __future__ import annotations

from collections.abc import Callable

import nhs_number as oracle
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.identifiers import CHECK_LETTERS, crn, cro_number, nhs_number, noms_number, pnc_id

NORMALISERS = (nhs_number, pnc_id, cro_number, crn, noms_number)


def nhs_numbers() -> st.SearchStrategy[str]:
    def complete(nine: str) -> str | None:
        check = (11 - sum(int(digit) * (10 - place) for place, digit in enumerate(nine)) % 11) % 11
        whole = f"{nine}{check}"
        return whole if check != 10 and len(set(whole)) > 1 else None

    nines = st.text("0123456789", min_size=9, max_size=9)
    return nines.map(complete).filter(lambda whole: whole is not None).map(str)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("81/34U", "1981/0000034U"),
        ("02/73319Z", "2002/0073319Z"),
        ("00/223R", "2000/0000223R"),
        ("79/163001B", "1979/0163001B"),
        ("0273319Z", "2002/0073319Z"),
        ("79163001B", "1979/0163001B"),
        ("033Y", "2003/0000003Y"),
        ("20020073319Z", "2002/0073319Z"),
        ("19790163001B", "1979/0163001B"),
        ("2002/0073319Z", "2002/0073319Z"),
        (" 1981/0154257c ", "1981/0154257C"),
        ("2008/0056560Z", "2008/0056560Z"),
        ("20120052494Q", "2012/0052494Q"),
        ("2003/62845E", "2003/0062845E"),
    ],
)
def test_every_writing_of_a_pnc_id_becomes_its_one_canonical_form(written: str, canonical: str) -> None:
    assert pnc_id(written) == canonical


@pytest.mark.parametrize("wrong", ["20030011985Z", "20120052494O", "20230583843N", "2001/0171310S", "81/34V"])
def test_a_pnc_id_whose_check_letter_does_not_fit_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="check letter"):
        pnc_id(wrong)


@pytest.mark.parametrize(
    "wrong", ["", "01", "0123456789", "TOTALLYINVALID", "1X23/1234567A", "1923[1234567A", "1923/1234567AA", "2000/0Z"]
)
def test_what_has_not_the_form_of_a_pnc_id_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="PNC id"):
        pnc_id(wrong)


def test_a_pnc_id_that_could_be_cut_in_two_ways_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="slash"):
        pnc_id("790163001B")


def test_short_years_up_to_40_are_of_this_century_and_later_ones_of_the_last() -> None:
    def written(year: int) -> str:
        return f"{year:02d}/1{CHECK_LETTERS[int(f'{year:02d}0000001') % 23]}"

    assert pnc_id(written(40)).startswith("2040/")
    assert pnc_id(written(41)).startswith("1941/")


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("265416/21G", "265416/21G"),
        ("65656/91H", "065656/91H"),
        ("065656/91h", "065656/91H"),
        ("SF05/482703J", "SF05/482703J"),
        ("SF83/50058Z", "SF83/50058Z"),  # a file's serial is checked and kept unpadded
    ],
)
def test_every_writing_of_a_cro_number_becomes_its_one_canonical_form(written: str, canonical: str) -> None:
    assert cro_number(written) == canonical


@pytest.mark.parametrize("wrong", ["85227/65G", "SF83/050058Z", "065656/91J"])
def test_a_cro_number_whose_check_letter_does_not_fit_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="check letter"):
        cro_number(wrong)


@pytest.mark.parametrize("written", ["9990000018", "947 671 9931", "999-000-1235"])
def test_an_nhs_number_may_be_written_with_spaces_or_hyphens(written: str) -> None:
    assert nhs_number(written) == written.replace(" ", "").replace("-", "")


@pytest.mark.parametrize("placeholder", ["0000000000", "4444444444", "6666666666"])
def test_a_placeholder_that_passes_the_check_is_no_nhs_number(placeholder: str) -> None:
    with pytest.raises(ValueError, match="placeholder"):
        nhs_number(placeholder)


@given(number=nhs_numbers(), place=st.integers(0, 9), shift=st.integers(1, 9))
def test_changing_any_one_digit_of_an_nhs_number_makes_it_refused(number: str, place: int, shift: int) -> None:
    changed = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert nhs_number(number) == number
    with pytest.raises(ValueError, match=r"check digit|placeholder"):
        nhs_number(changed)


@given(st.text("0123456789", min_size=10, max_size=10).filter(lambda digits: len(set(digits)) > 1))
def test_an_nhs_number_is_valid_exactly_when_the_public_checker_says_so(digits: str) -> None:
    # Within Scotland's range the checker also wants a date of birth in the number, which is not ours to judge.
    assume(not oracle.REGION_SCOTLAND.contains_number(digits))  # type: ignore[attr-defined, no-untyped-call]
    try:
        accepted = nhs_number(digits) == digits
    except ValueError:
        accepted = False
    assert accepted is oracle.is_valid(digits)  # type: ignore[attr-defined]


@given(year=st.integers(1941, 2040), serial=st.integers(1, 9_999_999))
def test_long_and_short_writings_of_one_pnc_id_are_equal(year: int, serial: int) -> None:
    letter = CHECK_LETTERS[int(f"{year % 100:02d}{serial:07d}") % 23]
    canonical = f"{year}/{serial:07d}{letter}"
    writings = {
        canonical,
        f"{year}{serial:07d}{letter}",
        f"{year}/{serial}{letter}",
        f"{year % 100:02d}/{serial}{letter}",
    }
    assert {pnc_id(writing) for writing in writings} == {canonical}


@pytest.mark.parametrize("normalise", NORMALISERS)
@given(text=st.one_of(st.text(max_size=24), st.from_regex(r"[A-Z0-9/ -]{4,14}", fullmatch=True)))
def test_what_is_accepted_is_in_its_final_form_and_what_is_refused_is_not_repeated(
    normalise: Callable[[str], str], text: str
) -> None:
    accepted, told = None, ""
    try:
        accepted = normalise(text)
    except ValueError as error:
        told = str(error)
    assert len(text) < 4 or text not in told
    assert accepted is None or normalise(accepted) == accepted


@pytest.mark.parametrize(
    ("normalise", "written", "canonical"), [(crn, " x945794", "X945794"), (noms_number, "a1234aa", "A1234AA")]
)
def test_probation_and_prison_numbers_are_put_in_capitals(
    normalise: Callable[[str], str], written: str, canonical: str
) -> None:
    assert normalise(written) == canonical


@pytest.mark.parametrize(
    ("normalise", "wrong"), [(crn, "X94579"), (crn, "9945794"), (noms_number, "A1234A"), (crn, "X94579٤")]
)
def test_probation_and_prison_numbers_of_another_shape_are_refused(normalise: Callable[[str], str], wrong: str) -> None:
    with pytest.raises(ValueError, match="is a letter"):
        normalise(wrong)
