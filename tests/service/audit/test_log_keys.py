"""The key lives apart from the database, is never made anew in silence, and hands over to the next one."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.log.errors import BadSignature, Malformed, NotSigned
from schemas.log.handover import follow, hand_over, handovers_line, successor
from schemas.log.note import Note, SigningKey, VerifierKey, sign_note, with_signatures
from services.audit.keys import KeyMissing, KeyUnusable, LogKeys, make_first_key, read_keys, write_keys

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
NAME = "onward.example/log"


def test_the_first_key_is_for_its_owner_alone_and_is_never_made_a_second_time(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "log.key"
    make_first_key(file, NAME, signed_before=False)
    made = read_keys(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.current.name == NAME
    make_first_key(file, NAME, signed_before=False)
    make_first_key(file, "another/name", signed_before=True)
    assert read_keys(file) == made
    file.unlink()
    with pytest.raises(KeyMissing, match="put it back"):
        make_first_key(file, NAME, signed_before=True)
    assert not file.exists()


def test_a_key_that_cannot_be_used_is_refused_without_being_told(tmp_path: Path) -> None:
    file = tmp_path / "log.key"
    with pytest.raises(KeyMissing):
        read_keys(file)
    secret = SigningKey.generate(NAME).secret()
    for content in (
        "",
        secret[:-4],
        f"{secret} {secret}",
        f"{secret}\n{secret}",
        f"{secret}\n{secret} tomorrow",
        "\xff",
    ):
        file.write_text(content)
        file.chmod(0o600)
        with pytest.raises(KeyUnusable) as refused:
            read_keys(file)
        assert secret[20:-8] not in str(refused.value)
    file.write_text(secret)
    file.chmod(0o604)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        read_keys(file)


def test_a_former_key_signs_along_until_its_time_is_over(tmp_path: Path) -> None:
    first, second, third = (SigningKey.generate(NAME) for _ in range(3))
    file = tmp_path / "log.key"
    keys = LogKeys(first).followed_by(second, now=NOW, until=NOW + timedelta(days=30))
    write_keys(file, keys)
    assert read_keys(file) == keys
    assert keys.signing(NOW) == [second, first]
    assert keys.signing(NOW + timedelta(days=30)) == [second]
    day = NOW + timedelta(days=20)
    again = keys.followed_by(third, now=day, until=day + timedelta(days=30))
    assert again.signing(day) == [third, second, first]
    assert again.followed_by(first, now=NOW + timedelta(days=90), until=NOW).signing(day) == [first]


def test_whoever_trusts_a_former_key_learns_of_the_newest_and_of_no_other() -> None:
    first, second, third, stranger = (SigningKey.generate(NAME) for _ in range(4))

    def followed(notes: list[bytes], *trusted: SigningKey) -> list[VerifierKey]:
        under = with_signatures(sign_note("anything\n", third), [handovers_line(NAME, notes)])
        return follow(Note.parse(under), [key.verifier for key in trusted])

    row = [hand_over(first, second), hand_over(second, third)]
    for notes in (row, row[::-1], [*row, *row], [*row, hand_over(third, first), hand_over(third, third)]):
        assert followed(notes, first) == [first.verifier, second.verifier, third.verifier]
    assert followed(row, second, first) == [second.verifier, first.verifier, third.verifier]
    assert followed(row, third) == [third.verifier]
    assert followed(row, stranger) == [stranger.verifier]
    assert followed(row[1:], first) == [first.verifier], "a gap is not leapt over"
    changed = row[0].replace(b"is followed by the key", b"is followed by the kex")
    with pytest.raises(BadSignature):
        followed([changed], first)
    text = f"{NAME}\nis followed by the key\n{stranger.verifier}\n"
    for forged in (sign_note(text, stranger), sign_note(text, stranger, second)):  # neither is by the first one
        with pytest.raises(NotSigned):
            successor(forged, first.verifier)
    with pytest.raises(NotSigned):
        successor(sign_note(text, first), first.verifier)  # the new one itself has not agreed
    with pytest.raises(Malformed):
        successor(sign_note(f"{NAME}\n1\nAAAA\n", first), first.verifier)  # a checkpoint is no such note
