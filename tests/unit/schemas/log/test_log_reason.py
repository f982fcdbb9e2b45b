"""Why something was done is shown beside its entry, by a key of that entry alone: what was entered, and no other."""

from __future__ import annotations

import orjson
import pytest

from schemas.commitments import commitment, entry_key
from schemas.log.errors import LogError, Malformed, ReasonWrong
from schemas.log.reason import Reason, check_reason

TEXT = "The facilitator telephoned, and asks: «is he safe?»"
SECRET = b"p" * 32
REASON = Reason("entry-1", TEXT, entry_key(SECRET, "entry-1"))


def entry(id_: str, text: str = TEXT) -> bytes:
    """An entry of this person's, as the log has it."""
    said = {"entry_id": id_, "justification_commitment": commitment(entry_key(SECRET, id_), text)}
    return orjson.dumps({"data": said})


def test_a_reason_is_handed_on_in_a_file_and_is_what_was_entered() -> None:
    again = Reason.decode(REASON.encode())
    assert again == REASON
    check_reason(entry("entry-1"), again)


def test_any_changed_byte_of_it_is_found() -> None:
    raw = REASON.encode()
    for at in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[at] ^= 1 << bit
            with pytest.raises(LogError):
                check_reason(entry("entry-1"), Reason.decode(bytes(changed)))


@pytest.mark.parametrize("other", [entry("entry-2"), entry("entry-1", "Because."), b'{"data":{"entry_id":"entry-1"}}'])
def test_another_entry_s_reason_is_refused(other: bytes) -> None:
    with pytest.raises(ReasonWrong):
        check_reason(other, REASON)


def test_the_key_of_one_entry_shows_nothing_of_another() -> None:
    with pytest.raises(ReasonWrong):
        check_reason(entry("entry-2"), REASON._replace(entry_id="entry-2"))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"entry_id":1,"key":"AAAA","text":"a"}\n', REASON.encode()[:-1]])
def test_what_is_no_reason_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        Reason.decode(raw)
