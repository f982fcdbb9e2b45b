"""An old copy of the store is known by what was signed of a longer log, where that is ours and can be read."""

from __future__ import annotations

import pytest

from schemas.log.checkpoint import Checkpoint, sign_checkpoint
from schemas.log.note import SigningKey
from services.cli.old_copy import lacks_what_was_signed

ORIGIN = "onward/audit"
OURS, THEIRS = SigningKey.generate(ORIGIN), SigningKey.generate(ORIGIN)
KEYS = [OURS.verifier]


def _signed(size: int, key: SigningKey = OURS) -> bytes:
    return sign_checkpoint(Checkpoint(ORIGIN, size, b"r" * 32), key)


@pytest.mark.parametrize(
    ("outside", "signed"),
    [
        ((None, None), None),
        ((_signed(9), _signed(9)), None),
        ((_signed(12), None), 12),
        ((None, _signed(11)), 11),
        ((_signed(11), _signed(12)), 12),
        ((b"no note", _signed(12)), 12),
        ((_signed(12), b"no note"), 12),
        ((None, _signed(12, THEIRS)), None),
    ],
)
def test_more_was_signed_than_the_store_holds(outside: tuple[bytes | None, bytes | None], signed: int | None) -> None:
    told = lacks_what_was_signed(outside, 10, KEYS)
    if signed is None:
        assert told is None
    else:
        assert f"holds 10 entries of the audit log and {signed} were signed" in str(told)
