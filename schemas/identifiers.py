"""The numbers by which agencies know a person, each brought to one form so that two writings of it are equal.

The check-letter rules are those of the ministry's open person record service, confirmed on its published vectors.
No message of an error here repeats the value: identifiers are personal data.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

CHECK_LETTERS: Final = "ZABCDEFGHJKLMNPQRTUVWXY"  # 23 letters: no I, O or S, which are misread
LAST_SHORT_YEAR_OF_THIS_CENTURY: Final = 40  # a PNC id's year 41 to 99 is 19xx; fixed, so that no clock is read

_NHS = re.compile(r"[0-9]{10}")
_PNC = re.compile(r"([0-9]{4}|[0-9]{2})(/?)([0-9]{1,7})([A-Z])")
_CRO = re.compile(r"([0-9]{1,6})/([0-9]{2})([A-Z])")
_CRO_FILE = re.compile(r"SF([0-9]{2})/([0-9]{1,6})([A-Z])")
_CRN = re.compile(r"[A-Z][0-9]{6}")
_NOMS = re.compile(r"[A-Z][0-9]{4}[A-Z]{2}")


def nhs_number(text: str) -> str:
    """Ten digits. Spaces and hyphens between them are allowed; the last digit is the modulus 11 check."""
    digits = text.replace(" ", "").replace("-", "")
    if not _NHS.fullmatch(digits):
        raise ValueError("an NHS number has ten digits")
    if len(set(digits)) == 1:  # 0000000000 passes the check, and would link strangers
        raise ValueError("a placeholder is not an NHS number; leave it out when it is not known")
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False))
    if (11 - total % 11) % 11 != int(digits[9]):  # a remainder of 10 fits no digit
        raise ValueError("the check digit does not fit")
    return digits


def pnc_id(text: str) -> str:
    """`YYYY/NNNNNNNX`. Short years and serials (`81/34U`), and both lengths without the slash, are allowed."""
    match = _PNC.fullmatch(_tidy(text))
    if match is None:
        raise ValueError("a PNC id is a year, a slash, up to seven digits and a letter")
    year, slash, serial, letter = match.groups()
    if not slash:
        year, serial = _split_pnc(year + serial)
    if int(serial) == 0:
        raise ValueError("a placeholder is not a PNC id; leave it out when it is not known")
    serial = serial.zfill(7)
    _check_letter(f"{year[-2:]}{serial}", letter)
    if len(year) == 2:
        year = f"{'20' if int(year) <= LAST_SHORT_YEAR_OF_THIS_CENTURY else '19'}{year}"
    return f"{year}/{serial}{letter}"


def _split_pnc(digits: str) -> tuple[str, str]:
    if len(digits) == 9:  # 79 and 0163001, or 1979 and 16300: the check letter does not tell for certain
        raise ValueError("a PNC id of this length needs its slash")
    year_digits = 4 if len(digits) > 9 else 2
    return digits[:year_digits], digits[year_digits:]


def cro_number(text: str) -> str:
    """`NNNNNN/YYX`, serial padded to six; or the file form `SFYY/NX`, whose serial is kept as written."""
    tidy = _tidy(text)
    if standard := _CRO.fullmatch(tidy):
        serial, year, letter = standard[1].zfill(6), standard[2], standard[3]
        canonical = f"{serial}/{year}{letter}"
    elif file := _CRO_FILE.fullmatch(tidy):
        year, serial, letter = file.groups()
        canonical = tidy
    else:
        raise ValueError("a CRO number is up to six digits, a slash, a two-digit year and a letter, or SF and a file")
    if int(serial) == 0:
        raise ValueError("a placeholder is not a CRO number; leave it out when it is not known")
    _check_letter(year + serial, letter)
    return canonical


def crn(text: str) -> str:
    """Probation's case reference number: a letter and six digits."""
    return _shaped(text, _CRN, "a CRN is a letter and six digits")


def noms_number(text: str) -> str:
    """The prison number: a letter, four digits, two letters."""
    return _shaped(text, _NOMS, "a prison number is a letter, four digits and two letters")


def _tidy(text: str) -> str:
    return text.strip().upper()


def _shaped(text: str, shape: re.Pattern[str], otherwise: str) -> str:
    tidy = _tidy(text)
    if not shape.fullmatch(tidy):
        raise ValueError(otherwise)
    return tidy


def _check_letter(digits: str, letter: str) -> None:
    if CHECK_LETTERS[int(digits) % len(CHECK_LETTERS)] != letter:
        raise ValueError("the check letter does not fit")


_WRITTEN = StringConstraints(max_length=24)  # before the normalising, so that no long text reaches it


def _as_published(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "maxLength": 24, "pattern": pattern, "examples": [example]})


NhsNumber = Annotated[
    str, _WRITTEN, AfterValidator(nhs_number), _as_published(r"^[ -]*([0-9][ -]*){10}$", "999 000 0018")
]
PncId = Annotated[
    str,
    _WRITTEN,
    AfterValidator(pnc_id),
    _as_published(r"^\s*([0-9]{4}|[0-9]{2})/?[0-9]{1,7}[A-Za-z]\s*$", "2002/0073319Z"),
]
CroNumber = Annotated[
    str,
    _WRITTEN,
    AfterValidator(cro_number),
    _as_published(r"^\s*([0-9]{1,6}/[0-9]{2}|[Ss][Ff][0-9]{2}/[0-9]{1,6})[A-Za-z]\s*$", "065656/91H"),
]
Crn = Annotated[str, _WRITTEN, AfterValidator(crn), _as_published(r"^\s*[A-Za-z][0-9]{6}\s*$", "X945794")]
NomsNumber = Annotated[
    str, _WRITTEN, AfterValidator(noms_number), _as_published(r"^\s*[A-Za-z][0-9]{4}[A-Za-z]{2}\s*$", "A1234AA")
]
