"""Published logs, as the files that they are."""

from __future__ import annotations

from schemas.log import merkle, tiles
from schemas.log.checkpoint import Checkpoint, sign_checkpoint
from schemas.log.errors import Missing
from schemas.log.note import ED25519, SigningKey
from schemas.log.tiles import Tile

KEY = SigningKey("onward.example/log", ED25519, b"l" * 32)


def files_of(leaves: list[bytes], *sizes: int) -> dict[str, bytes]:
    """The tiles and bundles of a log that had a checkpoint at each of these sizes."""
    hashes = [[merkle.leaf_hash(leaf) for leaf in leaves]]
    while len(hashes[-1]) > 1:
        below = hashes[-1]
        hashes.append([merkle.node_hash(*pair) for pair in zip(below[::2], below[1::2], strict=False)])
    files = {}
    for old, new in zip((0, *sizes), sizes, strict=False):
        for level, number, width in tiles.tiles_between(old, new):
            assert level is not None
            at = number * tiles.WIDTH
            files[Tile(level, number, width).path] = b"".join(hashes[level * tiles.HEIGHT][at : at + width])
        for bundle in tiles.bundles_between(old, new):
            at = bundle.number * tiles.WIDTH
            files[bundle.path] = tiles.encode_bundle(leaves[at : at + bundle.width])
    return files


def fetch_from(files: dict[str, bytes]) -> tiles.Fetch:
    """Read them as a reader does."""

    def fetch(path: str) -> bytes:
        try:
            return files[path]
        except KeyError:
            raise Missing(path) from None

    return fetch


def published(leaves: list[bytes], *keys: SigningKey) -> dict[str, bytes]:
    """A whole log with its checkpoint."""
    files = files_of(leaves, len(leaves))
    return {**files, tiles.CHECKPOINT: checkpoint_of(leaves, *keys)}


def checkpoint_of(leaves: list[bytes], *keys: SigningKey) -> bytes:
    """What the log of these entries signs."""
    root = merkle.root_of(len(leaves), tree_of(leaves))
    return sign_checkpoint(Checkpoint(KEY.name, len(leaves), root), *(keys or (KEY,)))


def tree_of(leaves: list[bytes]) -> tiles.TileReader:
    """The tree of these entries."""
    return tiles.TileReader(fetch_from(files_of(leaves, len(leaves))), len(leaves))
