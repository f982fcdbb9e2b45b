"""Where a published log is read from: a folder, or an address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NoReturn

import httpx
import typer

from schemas.log.errors import (
    BadSignature,
    EntryWrong,
    LogError,
    Malformed,
    Missing,
    NotSigned,
    ProofRefused,
    ReasonWrong,
    SplitView,
    TreeWrong,
    Unreachable,
)
from schemas.log.note import VerifierKey
from schemas.log.tiles import Fetch
from schemas.log.trust import Trust
from services.cli import terminal

PATIENCE_SECONDS: Final = 30.0
LARGEST_FILE: Final = 17 * 2**20  # bytes; a bundle of 256 entries of 64 KB is 16 MB
LARGEST_LINE: Final = 2 * 2**20  # of an export; an entry of 64 KB, every character of it escaped, is 400 KB
_ADDRESSES: Final = ("http://", "https://")

KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        envvar="ONWARD_LOG_VKEY",
        metavar="VKEY",
        help="The log's verifier key, or a file with one a line; from the operator, by another way than the log.",
    ),
]
WitnessOption = Annotated[
    list[str] | None,
    typer.Option("--witness", metavar="VKEY", help="A witness that must have signed too; again for each."),
]
QuorumOption = Annotated[
    int | None, typer.Option("--quorum", min=1, help="How many of the witnesses must have signed: all, unless said.")
]

MEANS: Final[Mapping[type[LogError], str]] = {
    EntryWrong: "This entry is not the one that was signed for its place: it was changed, dropped, moved or put in.",
    TreeWrong: "Hashes were changed, perhaps together with their entries.",
    Missing: "It was taken away, or this is not the folder or the address of a log.",
    Malformed: "It was changed or cut, or it is not what it should be.",
    NotSigned: "Too few of those whom you trust vouch for it: ask the operator, by another way, for its keys.",
    BadSignature: "Somebody changed what was signed, or its signature.",
    ProofRefused: "The proof does not show what it should.",
    ReasonWrong: "The entry is the one that was signed. What was given as its reason was changed, or is of another.",
    SplitView: "The log does not go on from what was signed before: its past was written anew, an old copy was put "
    "back, or two logs were signed.",
}
NEXT: Final = (
    "Keep the log or the file, and your checkpoint, as they are now; then ask the operator (docs/audit.md, When "
    "something is wrong)."
)


def refuse(error: LogError, *, as_json: bool = False) -> NoReturn:
    """End the command with what is wrong, what that means, and what to do; where nothing could be read, with that."""
    if isinstance(error, Unreachable):
        terminal.fail(str(error))
    means = MEANS.get(type(error), "It is not what a log should be.")
    if as_json:
        position = error.position if isinstance(error, EntryWrong) else None
        told = {"ok": False, "wrong": type(error).__name__, "position": position, "message": str(error)}
        terminal.print_json({**told, "means": means, "next": NEXT})
        raise SystemExit(terminal.NEEDS_ATTENTION)
    terminal.fail(f"not verified: {error}\n{means}\n{NEXT}", code=terminal.NEEDS_ATTENTION)


def is_address(where: str) -> bool:
    """Whether this is to be fetched over HTTP."""
    return where.startswith(_ADDRESSES)


@contextmanager
def opened(where: str) -> Iterator[Fetch]:
    """Read a log from a folder, or over HTTP from its address."""
    if not is_address(where):
        yield _folder(Path(where))
        return
    with httpx.Client(timeout=PATIENCE_SECONDS, follow_redirects=True) as client:
        yield _http(client, where.rstrip("/"))


def read_one(where: str) -> bytes:
    """One file, from the disk or over HTTP. Raises Missing or Unreachable."""
    if is_address(where):
        with httpx.Client(timeout=PATIENCE_SECONDS, follow_redirects=True) as client:
            return _got(client, where, where)
    return _read(Path(where), where)


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """The lines of an export. Raises Malformed for one that is longer than any can be, before it is read."""
    while line := file.readline(LARGEST_LINE):
        if len(line) == LARGEST_LINE:
            raise Malformed("a line that is longer than any line of an export")
        yield line


def _folder(folder: Path) -> Fetch:
    return lambda path: _read(folder / path, path)


def _read(file: Path, path: str) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise Missing(path) from None
    except OSError as error:
        raise Unreachable(f"{file} cannot be read: {error.strerror}") from None


def _http(client: httpx.Client, address: str) -> Fetch:
    return lambda path: _got(client, f"{address}/{path}", path)


def _got(client: httpx.Client, url: str, path: str) -> bytes:
    try:
        with client.stream("GET", url) as response:
            if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
                raise Missing(path)
            if response.is_error:
                raise Unreachable(f"{url} cannot be read: the answer is {response.status_code}")
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if len(content) > LARGEST_FILE:
                    raise Unreachable(f"{url} is larger than any file of a log")
            return bytes(content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(f"{url} cannot be read: {error or type(error).__name__}") from None


def keys_of(given: Sequence[str] | None, option: str) -> list[VerifierKey]:
    """Verifier keys as they were typed, or as files have them. One that is none ends the command."""
    found = []
    for each in given or ():
        try:
            lines = [each] if "+" in each else Path(each).read_text().split()
            found += [VerifierKey.parse(line) for line in lines]
        except (OSError, UnicodeDecodeError):
            terminal.fail(f"{option} {each} is neither a verifier key nor a file with some")
        except LogError as error:
            terminal.fail(f"{option}: {error}")
    return found


def trust_of(key: Sequence[str] | None, witness: Sequence[str] | None, quorum: int | None) -> Trust:
    """Whom the person at the terminal trusts. Without a key there is nothing to verify by."""
    keys, witnesses = keys_of(key, "--key"), keys_of(witness, "--witness")
    if not keys:
        terminal.fail(
            "say by which key to verify: --key VKEY, or ONWARD_LOG_VKEY. The operator tells it (onward audit keys"
            " show); get it by another way than the log itself"
        )
    if quorum is not None and quorum > len(witnesses):
        terminal.fail(f"--quorum {quorum} needs that many --witness")
    return Trust(keys, witnesses, quorum)
