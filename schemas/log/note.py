"""C2SP signed notes: text with signatures under it, and the keys that make them.

Two kinds of signature: a log's own (Ed25519, type 0x01) and a witness's cosignature of a checkpoint (Ed25519 with the
time, type 0x04). Keys are written as Go's sumdb/note writes them. See https://c2sp.org/signed-note and
https://c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas.log.errors import BadSignature, Malformed, NotSigned

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
LARGEST: Final = 1_000_000  # bytes of a note; a checkpoint with a hundred signatures is 15,000
MOST_SIGNATURES: Final = 100

_KINDS: Final = (ED25519, COSIGNATURE)
_PRIVATE: Final = "PRIVATE+KEY+"
ID_BYTES: Final = 4
_KEY_BYTES: Final = 32
_TIME_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 64
_LINE: Final = re.compile(r"— (\S+) (\S+)")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_ID: Final = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name that it signs under. `str(key)` is what is handed to people."""

    name: str
    kind: int  # ED25519 or COSIGNATURE
    public: bytes  # 32

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read `name+id+key`, or Malformed."""
        name, key_id, raw = _parse_key(text, "a verifier key is written name+12345678+base64")
        key = cls(name, raw[0], raw[1:])
        _check_id(key, key_id)
        return key

    @property
    def id(self) -> bytes:
        """Its four bytes beside the name: which of a name's keys this is, not a proof of anything."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(named).digest()[:ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_base64(bytes([self.kind]) + self.public)}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key. Never printed by accident: only `secret()` tells it."""

    name: str
    kind: int
    seed: bytes = field(repr=False)  # 32

    @classmethod
    def generate(cls, name: str, kind: int = ED25519) -> SigningKey:
        """A new key. `name` looks like an address without its scheme: `onward.example/log`."""
        _check_name(name)
        return cls(name, kind, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """Read `PRIVATE+KEY+name+id+key`, or Malformed. The error never repeats the text."""
        if not text.startswith(_PRIVATE):
            raise Malformed(f"a private key begins with {_PRIVATE}")
        name, key_id, raw = _parse_key(
            text.removeprefix(_PRIVATE), "a private key is written PRIVATE+KEY+name+12345678+base64"
        )
        key = cls(name, raw[0], raw[1:])
        _check_id(key.verifier, key_id)
        return key

    def secret(self) -> str:
        """The key as a text to keep where nobody else can read it."""
        return f"{_PRIVATE}{self.name}+{self.verifier.id.hex()}+{_base64(bytes([self.kind]) + self.seed)}"

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return VerifierKey(self.name, self.kind, public)

    def sign(self, text: str, *, at: int | None = None) -> str:
        """The signature line, with its newline. `at`: seconds since 1970, which a cosignature needs and says."""
        said = text.encode()
        prefix = b""
        if self.kind == COSIGNATURE:
            if at is None:
                raise ValueError("a cosignature says when it was made")
            said, prefix = _cosigned(said, at), at.to_bytes(_TIME_BYTES, "big")
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(said)
        return signature_line(self.name, self.verifier.id, prefix + signature)


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of a note. Of an unknown key, it shows nothing."""

    name: str
    key_id: bytes  # 4
    raw: bytes  # after the id
    line: str  # as it stands in the note, with its newline

    def is_of(self, key: VerifierKey) -> bool:
        """Whether it says that it is this key's."""
        return self.name == key.name and self.key_id == key.id


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that was found good."""

    key: VerifierKey
    line: str
    at: int | None  # seconds since 1970, for cosignatures


@dataclass(frozen=True, slots=True)
class Note:
    """A note, its signatures not yet looked at: its text must not be believed."""

    text: str  # ends in a newline
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Note:
        """Take a note apart, or Malformed."""
        if len(raw) > LARGEST:
            raise Malformed(f"a signed note of more than {LARGEST} bytes")
        try:
            whole = raw.decode()
        except UnicodeDecodeError:
            raise Malformed("a signed note must be UTF-8") from None
        if _CONTROL.search(whole):
            raise Malformed("a signed note has no control characters but line ends")
        text, blank, below = whole.rpartition("\n\n")
        if not blank or not below.endswith("\n"):
            raise Malformed("a signed note is text, a blank line, and signature lines that each end in a newline")
        return cls(text + "\n", parse_signatures(below))

    def verified(self, keys: Sequence[VerifierKey]) -> list[Verified]:
        """The good signatures of these keys, in the order of the keys; of several of one key the first.

        Raises BadSignature when one bears a known key's name and id and is not good. Unknown ones are passed over.
        """
        found = []
        for key in dict.fromkeys(keys):
            mine = next((each for each in self.signatures if each.is_of(key)), None)
            if mine is not None:
                found.append(Verified(key, mine.line, _check(key, self.text, mine.raw)))
        return found


def open_note(raw: bytes, keys: Sequence[VerifierKey]) -> tuple[str, list[Verified]]:
    """The text of a note that at least one of these keys has signed, and the good signatures. NotSigned otherwise."""
    note = Note.parse(raw)
    verified = note.verified(keys)
    if not verified:
        signers = ", ".join(sorted({f"{each.name}+{each.key_id.hex()}" for each in note.signatures}))
        trusted = ", ".join(f"{key.name}+{key.id.hex()}" for key in keys) or "no key"
        raise NotSigned(f"signed by {signers}, and not by {trusted}, which is trusted")
    return note.text, verified


def sign_note(text: str, *keys: SigningKey) -> bytes:
    """A note signed by each of these keys. The text ends in a newline."""
    if not text.endswith("\n"):
        raise ValueError("the text of a note ends in a newline")
    return (text + "\n" + "".join(key.sign(text) for key in keys)).encode()


def with_signatures(raw: bytes, lines: Iterable[str]) -> bytes:
    """The note with these signature lines added, none twice."""
    have = Note.parse(raw)
    old = [each.line for each in have.signatures]
    return (have.text + "\n" + "".join(dict.fromkeys([*old, *lines]))).encode()


def signature_line(name: str, key_id: bytes, raw: bytes) -> str:
    """A line under a note, with its newline."""
    return f"— {name} {_base64(key_id + raw)}\n"


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """Signature lines as they stand under a note, or as a witness answers them; Malformed when one is not one."""
    found = []
    for line in lines.removesuffix("\n").split("\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            raise Malformed("a signature line is: — name base64")
        raw = _from_base64(match[2], "a signature")
        if len(raw) <= ID_BYTES or "+" in match[1]:
            raise Malformed("a signature line is: — name base64")
        found.append(Signature(match[1], raw[:ID_BYTES], raw[ID_BYTES:], line + "\n"))
    if len(found) > MOST_SIGNATURES:
        raise Malformed(f"more than {MOST_SIGNATURES} signatures")
    return tuple(found)


def _check(key: VerifierKey, text: str, raw: bytes) -> int | None:
    """When a signature says that it was made, if it does; BadSignature when it is not good."""
    said, signature, at = text.encode(), raw, None
    if key.kind == COSIGNATURE:
        at, signature = int.from_bytes(raw[:_TIME_BYTES], "big"), raw[_TIME_BYTES:]
        said = _cosigned(said, at)
    try:
        if len(signature) != _SIGNATURE_BYTES:
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, said)
    except InvalidSignature:
        raise BadSignature(f"the signature of {key.name}+{key.id.hex()} is not good") from None
    return at


def _cosigned(text: bytes, at: int) -> bytes:
    return b"cosignature/v1\ntime %d\n%b" % (at, text)


def _parse_key(text: str, shape: str) -> tuple[str, str, bytes]:
    parts = text.split("+", 2)  # the key itself may have a plus
    if len(parts) != len(("name", "id", "key")) or not _ID.fullmatch(parts[1]):
        raise Malformed(shape)
    _check_name(parts[0])
    raw = _from_base64(parts[2], "a key")
    if len(raw) != 1 + _KEY_BYTES or raw[0] not in _KINDS:
        raise Malformed("a key of an unknown kind; Ed25519 (1) and cosignature (4) are known")
    return parts[0], parts[1], raw


def _check_name(name: str) -> None:
    if not name or "+" in name or re.search(r"\s", name) or _CONTROL.search(name):
        raise Malformed("a key's name has no space and no plus, and is not empty")


def _check_id(key: VerifierKey, key_id: str) -> None:
    if key.id.hex() != key_id:
        raise Malformed("the key's id does not go with its name and key: it was changed, or copied in part")


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _from_base64(text: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or _base64(raw) != text:  # one value, one text: a changed last character must not pass
        raise Malformed(f"{what} is not base64")
    return raw
