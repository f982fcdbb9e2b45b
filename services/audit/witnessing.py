"""Asks witnesses to cosign a checkpoint, all at once and in limited time. One that is away delays nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from schemas.log.checkpoint import Checkpoint
from schemas.log.errors import LogError
from schemas.log.note import COSIGNATURE, Note, VerifierKey, parse_signatures
from schemas.log.witnessing import PATH, Request
from services.ground.errors import SettingsRefused

ROUNDS: Final = 3  # a witness that says twice that it stands elsewhere is asked by somebody else meanwhile
LONGEST_ANSWER: Final = 64 * 1024

Prove = Callable[[int], Awaitable[Sequence[bytes]]]  # an old size -> the consistency proof from there


@dataclass(frozen=True, slots=True)
class Asked:
    """A witness: where it answers and what it signs with."""

    url: str
    key: VerifierKey

    @classmethod
    def parse(cls, text: str) -> Asked:
        """Read `http://address name+id+key`. Raises SettingsRefused."""
        url, _, vkey = text.strip().partition(" ")
        try:
            key = VerifierKey.parse(vkey.strip())
        except LogError as error:
            raise SettingsRefused([("ONWARD_WITNESSES", str(error))]) from None
        if key.kind != COSIGNATURE or not url.startswith(("http://", "https://")):
            why = "a witness is its address and its verifier key: https://w.example.org w.example.org+12345678+BA..."
            raise SettingsRefused([("ONWARD_WITNESSES", why)])
        return cls(url.rstrip("/"), key)


@dataclass(slots=True)
class Answers:
    """What came of asking, by the witnesses' names."""

    lines: dict[str, str] = field(default_factory=dict)  # good signature lines over this very checkpoint
    refused: dict[str, str] = field(default_factory=dict)  # why: somebody must look, the log may have two pasts
    away: dict[str, str] = field(default_factory=dict)  # why there is no answer; asked again with the next checkpoint


class _Refused(Exception):
    """The witness answered, and will not sign."""


async def ask_witnesses(
    client: httpx.AsyncClient,
    witnesses: Sequence[Asked],
    note: bytes,
    *,
    prove: Prove,
    last: Mapping[str, int],
    seconds: float,
) -> Answers:
    """Have a checkpoint cosigned. Never raises for what a witness does, and takes `seconds` at most.

    `note`: the signed checkpoint. `last`: by name, the size that each witness signed last, as far as it is known.
    """
    answers = Answers()

    async def ask(witness: Asked) -> None:
        name = witness.key.name
        try:
            async with asyncio.timeout(seconds):
                answers.lines[name] = await _ask(client, witness, note, prove, last.get(name, 0))
        except _Refused as refused:
            answers.refused[name] = str(refused)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, LogError) as error:
            answers.away[name] = str(error) or type(error).__name__

    await asyncio.gather(*map(ask, witnesses))
    return answers


async def _ask(client: httpx.AsyncClient, witness: Asked, note: bytes, prove: Prove, old: int) -> str:
    checkpoint = Checkpoint.parse(Note.parse(note).text)
    for _ in range(ROUNDS):
        if old > checkpoint.size:
            raise _Refused(f"has signed a log of {old} entries already, and this one has {checkpoint.size}")
        proof = tuple(await prove(old)) if 0 < old < checkpoint.size else ()
        status, body = await _post(client, witness, Request(old, proof, note).encode())
        if status == httpx.codes.OK:
            return _signature(witness, note, body)
        if status != httpx.codes.CONFLICT or not body.strip().isdecimal():
            break
        if (known := int(body)) == old:
            break  # the size is right, so it is the root that is not
        old = known
    if status in (httpx.codes.CONFLICT, httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.FORBIDDEN):
        raise _Refused(f"answers {status}: {body.strip()[:200]}")
    raise httpx.HTTPError(f"answers {status}: {body.strip()[:200]}")


async def _post(client: httpx.AsyncClient, witness: Asked, body: bytes) -> tuple[int, str]:
    async with client.stream("POST", witness.url + PATH, content=body) as response:
        got = b""
        async for part in response.aiter_bytes():
            got += part
            if len(got) > LONGEST_ANSWER:
                raise httpx.HTTPError("answers without end")
        return response.status_code, got.decode(errors="replace")


def _signature(witness: Asked, note: bytes, body: str) -> str:
    """The witness's good signature of this checkpoint among the lines of its answer. Raises LogError."""
    found = Note(Note.parse(note).text, parse_signatures(body)).verified([witness.key])
    if not found:
        raise LogError("answers with no signature of its own")
    return found[0].line
