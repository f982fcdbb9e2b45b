"""C2SP tlog-tiles: a log as plain files that any web server can give out, and a tree read from them.

A tile has up to 256 hashes side by side, of every eighth level; a bundle has the entries under one lowest tile.
See https://c2sp.org/tlog-tiles.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from schemas.log.errors import LogError, Malformed, Missing
from schemas.log.merkle import HASH_BYTES, node_hash

HEIGHT: Final = 8  # levels that one tile spans
WIDTH: Final = 256  # hashes of a full tile, entries of a full bundle
LONGEST_ENTRY: Final = 2**16 - 1  # bytes, which two bytes of length can say
CHECKPOINT: Final = "checkpoint"
CACHED_TILES: Final = 64  # about 2 MB with all the levels between

Fetch = Callable[[str], bytes]  # a path of the log -> its bytes; raises Missing, or Unreachable

_INDEX: Final = r"((?:x\d{3}/)*\d{3})"
_PATH: Final = re.compile(rf"tile/(entries|0|[1-9]|[1-5]\d|6[0-3])/{_INDEX}(?:\.p/([1-9]\d{{0,2}}))?", re.ASCII)


class Tile(NamedTuple):
    """One tile, or one bundle of entries."""

    level: int | None  # of tiles, 0 lowest; None for a bundle of entries
    number: int  # from 0, left to right
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is, under the log's prefix: `tile/0/x001/234`, `tile/entries/000.p/7`."""
        rest, parts = self.number // 1000, [f"{self.number % 1000:03}"]
        while rest:
            parts.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{'entries' if self.level is None else self.level}/{'/'.join(parts)}{partial}"


def tile_at(path: str) -> Tile:
    """The tile or bundle of a path, or Malformed for what is not exactly the path of one."""
    found = _PATH.fullmatch(path)
    if found:
        level = None if found[1] == "entries" else int(found[1])
        tile = Tile(level, int(found[2].replace("/", "").replace("x", "")), int(found[3] or WIDTH))
        if tile.path == path:
            return tile
    raise Malformed("not the path of a tile or of a bundle of entries")


def width_at(level: int, index: int, size: int) -> int:
    """How many hashes tile `index` of `level` has in a log of `size`; 0 where the log has no such tile."""
    return max(0, min(WIDTH, (size >> HEIGHT * level) - index * WIDTH))


def tiles_between(old: int, new: int) -> Iterator[Tile]:
    """Every tile that a log of `new` entries has and one of `old` had not, or had narrower; lowest level first."""
    level = 0
    while end := new >> HEIGHT * level:
        begin = old >> HEIGHT * level
        if begin != end:
            for index in range(begin // WIDTH, (end + WIDTH - 1) // WIDTH):
                yield Tile(level, index, width_at(level, index, new))
        level += 1


def bundles_between(old: int, new: int) -> Iterator[Tile]:
    """Every bundle of entries that a log of `new` entries has and one of `old` had not, or had shorter."""
    return (Tile(None, tile.number, tile.width) for tile in tiles_between(old, new) if tile.level == 0)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Up to 256 entries as one bundle: two bytes of length before each."""
    for entry in entries:
        if len(entry) > LONGEST_ENTRY:
            raise Malformed(f"an entry of {len(entry)} bytes; the format holds {LONGEST_ENTRY}")
    return b"".join(part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry))


def decode_bundle(raw: bytes) -> list[bytes]:
    """The entries of a bundle, or Malformed when it does not end where an entry ends."""
    entries, rest = split_bundle(raw)
    if rest:
        raise Malformed(f"the bundle ends in the middle of its entry {len(entries)}")
    return entries


def split_bundle(raw: bytes) -> tuple[list[bytes], bytes]:
    """The entries of a bundle as far as they are whole, and what is left over."""
    entries: list[bytes] = []
    at = 0
    while at + 2 <= len(raw):
        end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
        if end > len(raw):
            break
        entries.append(raw[at + 2 : end])
        at = end
    return entries, raw[at:]


def read_hashes(fetch: Fetch, tile: Tile) -> list[bytes]:
    """The hashes of a tile. Raises Malformed for one of another length, and what `fetch` raises."""
    got, raw = _fetch_either(fetch, tile)
    if len(raw) != got.width * HASH_BYTES:
        raise Malformed(f"{got.path} has {len(raw)} bytes, not {got.width} hashes of {HASH_BYTES}")
    return [raw[at : at + HASH_BYTES] for at in range(0, tile.width * HASH_BYTES, HASH_BYTES)]


def read_entries(fetch: Fetch, bundle: Tile) -> tuple[list[bytes], bytes]:
    """The entries of a bundle as far as they are whole, and what is left over. Raises what `fetch` raises."""
    got, raw = _fetch_either(fetch, bundle)
    entries, rest = split_bundle(raw)
    return (entries, rest) if got == bundle else (entries[: bundle.width], b"")


def _fetch_either(fetch: Fetch, tile: Tile) -> tuple[Tile, bytes]:
    """A tile or bundle; where a partial one was cleared away, the full one, which begins with it."""
    try:
        return tile, fetch(tile.path)
    except Missing:
        full = tile._replace(width=WIDTH)
        if full == tile:
            raise
        try:
            return full, fetch(full.path)
        except Missing:
            raise Missing(tile.path) from None


class TileReader:
    """The tree of a log of `size`, read from its tiles; a HashReader. Keeps the last tiles that it read."""

    def __init__(self, fetch: Fetch, size: int, *, cached: int = CACHED_TILES) -> None:
        self._fetch = fetch
        self.size = size
        self._cached = cached
        self._tiles: OrderedDict[tuple[int, int], list[list[bytes]]] = OrderedDict()

    def __call__(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree."""
        if (index + 1) << level > self.size:
            raise LogError(f"a log of {self.size} has no complete subtree {index} of level {level}")
        in_tile = level % HEIGHT
        tile, offset = divmod(index << in_tile, WIDTH)
        return self._levels(level // HEIGHT, tile)[in_tile][offset >> in_tile]

    def tile(self, level: int, number: int) -> list[bytes]:
        """The hashes of one tile."""
        return self._levels(level, number)[0]

    def load(self, tile: Tile) -> list[bytes]:
        """Fetch a tile that is not in the cache."""
        return read_hashes(self._fetch, tile)

    def _levels(self, level: int, number: int) -> list[list[bytes]]:
        """The hashes of a tile, and those of the seven levels over them as far as they are complete."""
        found = self._tiles.get((level, number))
        if found is None:
            found = [self.load(Tile(level, number, width_at(level, number, self.size)))]
            for _ in range(HEIGHT - 1):
                below = found[-1]
                found.append([node_hash(*pair) for pair in zip(below[::2], below[1::2], strict=False)])
            self._tiles[level, number] = found
            if len(self._tiles) > self._cached:
                self._tiles.popitem(last=False)
        self._tiles.move_to_end((level, number))
        return found
