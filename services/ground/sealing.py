"""Seals personal content under one person's key, for one place in the store. Pure: no key is looked up here.

A sealed value says by which key it opens, so that whoever reads a row needs to know nothing of whose it is; that it
was sealed for this place is checked when it is opened, so that no value can be moved to another row or column.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, LargeBinary, TypeDecorator
from sqlalchemy.engine import Dialect

from schemas.refusal import Unacceptable

KEY_BYTES: Final = 32  # AES-256
NONCE_BYTES: Final = 12  # 96 random bits: one key may seal 2**32 values (NIST SP 800-38D, 8.3)
NONCES_AT_ONCE: Final = 256  # of one call to the system

_CLEAR, _SEALED = b"\x00", b"\x01"  # what a value begins with; no JSON does
HEAD_BYTES: Final = 17  # that byte and the name of the key
_NONCE_END: Final = HEAD_BYTES + NONCE_BYTES

ERASED: Final = "erased"  # what people are shown in place of what is gone

Form: TypeAlias = Literal["text", "json", "bytes"]


class Erased(Unacceptable):
    """The key is destroyed: whose it was is erased, and nothing can be read of them, nor kept."""

    def __init__(self) -> None:
        super().__init__(ERASED)


class NotOpened(Exception):
    """A sealed value that does not open with its key: changed, or moved here from another place."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"{place}: this value was changed or moved from another row; the store was tampered with or is damaged: "
            "restore it from a backup"
        )


class NotSealed(Exception):
    """Personal content on its way to the store in clear: a mistake of ours, and refused."""

    def __init__(self) -> None:
        super().__init__("a sealed column takes what `seal` gives and nothing else")


class Sealed(TypeDecorator[bytes]):
    """A column of personal content: sealed bytes, which `form` says how to read. What is not sealed is refused.

    `clear` allows what is nobody's too, marked as such by `in_clear`. `services.ground.keys` opens it.
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, form: Form, *, clear: bool = False) -> None:
        super().__init__()
        self.form = form
        self.clear = clear

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """Let nothing in that could be read."""
        if value is None or value[:1] == _SEALED or (self.clear and value[:1] == _CLEAR):
            return value
        raise NotSealed


class PersonKey:
    """One person's key, ready for use, or that of a message that is nobody's yet."""

    __slots__ = ("cipher", "head", "name", "secret")

    def __init__(self, name: str, secret: bytes) -> None:
        """`name` is a UUID, `secret` 32 random bytes."""
        self.name = name
        self.secret = secret
        self.head = head_of(name)
        self.cipher = AESGCM(secret)

    def seal(self, value: bytes, place: bytes) -> bytes:
        """The value, readable with this key at this place alone."""
        nonce = _nonce()
        return self.head + nonce + self.cipher.encrypt(nonce, value, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """What was sealed. Raises NotOpened."""
        try:
            return self.cipher.decrypt(sealed[HEAD_BYTES:_NONCE_END], sealed[_NONCE_END:], place)
        except InvalidTag:
            raise NotOpened(place.decode()) from None


def head_of(name: str) -> bytes:
    """What begins each value that was sealed with the key of this name."""
    return _SEALED + bytes.fromhex(name.replace("-", ""))


def in_clear(value: bytes) -> bytes:
    """A value that is nobody's, as it is kept in a column that allows that."""
    return _CLEAR + value


def name_in(kept: bytes) -> str | None:
    """The name of the key that a kept value opens with; None where it is in clear. Raises NotOpened for neither."""
    if kept[:1] == _SEALED and len(kept) > _NONCE_END:
        return name_at_head(kept)
    if kept[:1] == _CLEAR:
        return None
    raise NotOpened("a value that nobody sealed")


def name_at_head(kept: bytes) -> str | None:
    """The same, of a value of which perhaps its first HEAD_BYTES alone were read; None for all but sealed ones."""
    if kept[:1] != _SEALED:
        return None
    it = kept[1:HEAD_BYTES].hex()
    return f"{it[:8]}-{it[8:12]}-{it[12:16]}-{it[16:20]}-{it[20:]}"


def without_mark(kept: bytes) -> bytes:
    """A value that was kept in clear."""
    return kept[1:]


def place_of(column: Column[Any], *key: object) -> bytes:
    """Where a value is sealed for: its column, and the primary key of its row."""
    if len(key) == 1:
        return f"{_column(column)}{key[0]}".encode()
    return f"{_column(column)}{'/'.join(map(str, key))}".encode()


@lru_cache(maxsize=256)
def _column(column: Column[Any]) -> str:
    return f"{column.table.name}.{column.name}/"


READ: Final[dict[Form, Callable[[bytes], Any]]] = {"text": bytes.decode, "json": orjson.loads, "bytes": bytes}

_nonces: list[bytes] = []  # random, each handed out once


def _nonce() -> bytes:
    while True:
        try:
            return _nonces.pop()
        except IndexError:
            many = os.urandom(NONCE_BYTES * NONCES_AT_ONCE)
            _nonces.extend(many[at : at + NONCE_BYTES] for at in range(0, len(many), NONCE_BYTES))


os.register_at_fork(after_in_child=_nonces.clear)  # the parent hands out those
