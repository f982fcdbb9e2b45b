"""An export: a part of the log as lines of JSON, which verifies alone, wherever in the log it begins and ends.

An entry a line, its exact bytes as text (`leaf`), or in base64 where they are no text (`leaf_base64`). After the
entries of each bundle their hashes (`hashes`), by which a wrong entry is told from its neighbours. The last line has
the checkpoint and the hashes of what lies left and right of the part: with the entries between they make its root.

Every line is canonical JSON, so that no byte of it can be written otherwise.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from schemas.log.canonical import NotCanonical, canonical
from schemas.log.checkpoint import SignedCheckpoint, decode_hash, encode_hash
from schemas.log.errors import EntryWrong, Malformed, TreeWrong
from schemas.log.merkle import HASH_BYTES, Growing, HashReader, leaf_hash, subtrees
from schemas.log.reader import Progress, Verified, difference
from schemas.log.tiles import WIDTH
from schemas.log.trust import Trust

FORMAT: Final = "onward-log-export/1"

Line = dict[str, object]


def export_lines(
    entries: Iterable[tuple[int, bytes]], begin: int, end: int, checkpoint: SignedCheckpoint, read: HashReader
) -> Iterator[bytes]:
    """The lines of an export of the entries from `begin` up to `end`, which are given with their positions.

    `read`: the tree of the log that the checkpoint is of.
    """
    size = checkpoint.checkpoint.size
    if not 0 <= begin <= end <= size:
        raise ValueError(f"a log of {size} entries has no part from {begin} to {end}")
    hashes: list[bytes] = []
    for at, entry in entries:
        yield _line({"position": at, **_leaf(entry)})
        hashes.append(leaf_hash(entry))
        if (at + 1) % WIDTH == 0 or at + 1 == end:
            yield _line({"hashes": base64.b64encode(b"".join(hashes)).decode()})
            hashes.clear()
    left, right = ([encode_hash(read(*each)) for each in subtrees(*part)] for part in ((0, begin), (end, size)))
    yield _line(
        {
            "format": FORMAT,
            "begin": begin,
            "end": end,
            "left": left,
            "right": right,
            "checkpoint": checkpoint.raw.decode(),
        }
    )


def verify_export(lines: Iterable[bytes], trust: Trust, *, progress: Progress | None = None) -> Verified:
    """Show that an export's entries are what its checkpoint commits to, or raise what is wrong, with the position.

    `progress` is told how many entries were read, and 0 for how many there are, which only the last line says.
    """
    reading = _Reading()
    last: Line | None = None
    for raw in lines:
        if last is not None:
            raise Malformed("the export goes on after its checkpoint")
        line = _read_line(raw, reading.place)
        match sorted(line):
            case ["leaf" | "leaf_base64", "position"]:
                reading.take_entry(line)
            case ["hashes"]:
                reading.take_hashes(line)
                if progress is not None:
                    progress(reading.taken, 0)
            case ["begin", "checkpoint", "end", "format", "left", "right"]:
                last = line
            case _:
                raise Malformed(f"{reading.place} is a line that is no part of an export")
    if last is None:
        raise Malformed(f"{reading.place} the export ends, without its checkpoint: its tail was cut")
    return reading.end(last, trust)


class _Reading:
    """What was read of an export: the tree that its entries make, and the one that the hashes beside them make."""

    def __init__(self) -> None:
        self.taken = 0  # entries
        self._begin: int | None = None  # position of the first entry
        self._next = 0  # the position that must come
        self._leaves: list[bytes] = []  # hashes of the entries since the last line of hashes
        self._by_entries = Growing()
        self._by_hashes = Growing()
        self._wrong: EntryWrong | None = None  # the first entry that does not go with the hash beside it

    @property
    def place(self) -> str:
        """Where in the export we are, for people."""
        return "at its beginning" if self._begin is None else f"after entry {self._next - 1}"

    def take_entry(self, line: Line) -> None:
        """Read an entry's line."""
        position = _whole_number(line["position"], "a position")
        if self._begin is None:
            self._start(position)
        elif position != self._next:
            raise EntryWrong(self._next, f"not there: in its place is a line that says it is entry {position}")
        if len(self._leaves) == WIDTH:
            raise Malformed(f"{self.place} a line of hashes is missing")
        self._leaves.append(leaf_hash(_entry(line, position)))
        self._next = position + 1
        self.taken += 1

    def _start(self, begin: int) -> None:
        self._begin = begin
        self._by_entries, self._by_hashes = Growing(begin), Growing(begin)

    def take_hashes(self, line: Line) -> None:
        """Read the hashes of the entries since the last such line, and compare."""
        first = self._by_hashes.size
        said = _hashes(line["hashes"])
        if self._wrong is None and said != self._leaves:
            pairs = zip(said, self._leaves, strict=False)
            offset = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(said), len(self._leaves)))
            self._wrong = EntryWrong(first + offset, _difference(first, said, self._leaves, offset))
        part = _part(first, said)
        self._by_hashes.extend(part)
        at = self._by_entries.size
        self._by_entries.extend(part if at == first and said == self._leaves else _part(at, self._leaves))
        self._leaves = []

    def end(self, line: Line, trust: Trust) -> Verified:
        """Show that what was read makes the checkpoint's root."""
        if line["format"] != FORMAT:
            raise Malformed(f"the export is not in the format {FORMAT}")
        begin, end = _whole_number(line["begin"], "begin"), _whole_number(line["end"], "end")
        checkpoint = line["checkpoint"]
        if not isinstance(checkpoint, str):
            raise Malformed("the export's checkpoint is not text")
        signed = trust.open(checkpoint.encode())
        point = signed.checkpoint
        if not begin <= end <= point.size:
            raise Malformed(f"the export says that it goes from {begin} to {end} of {point.size} entries")
        self._check_ends(begin, end)
        around = (
            _around(line["left"], subtrees(0, begin), "left"),
            _around(line["right"], subtrees(end, point.size), "right"),
        )
        if _root(around, self._by_hashes) == point.root:
            if self._wrong is not None:
                raise self._wrong
            return Verified(signed, begin, end)
        if _root(around, self._by_entries) == point.root:
            raise TreeWrong("a line of hashes in the export is not what the log committed to; its entries are")
        if self._wrong is not None:
            raise self._wrong
        raise TreeWrong(
            f"entries {begin} to {end - 1}, or the hashes around them, are not what the checkpoint of {point.size}"
            " entries commits to: one or more were changed together with their hashes"
        )

    def _check_ends(self, begin: int, end: int) -> None:
        """What was read must begin and end where the export says."""
        if self._begin is None:
            self._start(begin)
        if self._begin != begin:
            raise EntryWrong(begin, f"not there: the export should begin with it and begins with {self._begin}")
        if self._by_hashes.size == end and not self._leaves:
            return
        if self._wrong is not None:
            raise self._wrong
        at = self._next if self._leaves else self._by_hashes.size
        raise EntryWrong(at, f"the last that the export has should be {end - 1}, and is {at - 1}")


def _root(around: tuple[Growing, Growing], part: Growing) -> bytes:
    left, right = around
    whole = Growing()
    for each in (left, part, right):
        whole.extend(each)
    return whole.root()


def _around(value: object, covered: list[tuple[int, int]], side: str) -> Growing:
    """What lies on one side of the exported part, as its complete subtrees."""
    if not isinstance(value, list) or len(value) != len(covered):
        raise Malformed(f"the export needs {len(covered)} hashes of what lies {side} of it")
    part = Growing(covered[0][1] << covered[0][0] if covered else 0)
    for (level, _), each in zip(covered, value, strict=True):
        if not isinstance(each, str):
            raise Malformed(f"a hash of what lies {side} of the export is not text")
        part.append(decode_hash(each), level)
    return part


def _part(begin: int, hashes: Iterable[bytes]) -> Growing:
    part = Growing(begin)
    for each in hashes:
        part.append(each)
    return part


def _difference(first: int, said: list[bytes], found: list[bytes], offset: int) -> str:
    if offset >= len(found):
        return "not there, and the log has it"
    if offset >= len(said):
        return "one that the log does not have"
    return difference(first, said, offset, found[offset])


def _line(value: Line) -> bytes:
    return canonical(value) + b"\n"


def _read_line(raw: bytes, place: str) -> Line:
    """One line, which must be written as an export writes it."""
    try:
        line = orjson.loads(raw)
        if isinstance(line, dict) and _line(line) == raw:
            return line
    except (orjson.JSONDecodeError, NotCanonical):
        pass
    raise Malformed(f"{place} is a line that is not canonical JSON: it was changed, or cut")


def _leaf(entry: bytes) -> Line:
    try:
        return {"leaf": entry.decode()}
    except UnicodeDecodeError:
        return {"leaf_base64": base64.b64encode(entry).decode()}


def _entry(line: Line, position: int) -> bytes:
    if "leaf" in line:
        if isinstance(line["leaf"], str):
            return line["leaf"].encode()
    elif (raw := _from_base64(line["leaf_base64"])) is not None:
        return raw
    raise EntryWrong(position, "its line does not hold the bytes of an entry")


def _hashes(value: object) -> list[bytes]:
    raw = _from_base64(value)
    if not raw or len(raw) % HASH_BYTES or len(raw) > WIDTH * HASH_BYTES:
        raise Malformed("a line of hashes has 1 to 256 of them, in base64")
    return [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]


def _from_base64(value: object) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == value else None


def _whole_number(value: object, what: str) -> int:
    if type(value) is int and value >= 0:
        return value
    raise Malformed(f"{what} in the export is not a whole number from 0")
