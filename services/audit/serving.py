"""Gives out the published log over HTTP: its checkpoint, tiles and bundles, and nothing else of the disk.

Any web server can do the same with the folder; here a path is only ever one that the log's format has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from schemas.log.errors import Malformed
from schemas.log.tiles import CHECKPOINT, tile_at

_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
_ASK_AGAIN: Final = "no-cache"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_FOR_PAGES: Final = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}  # verifiers in browsers


def serving(folder: Path) -> Starlette:
    """The HTTP service over a folder that the audit service publishes in."""

    def give(request: Request) -> Response:  # no coroutine: it reads the disk, in a thread
        path = request.path_params["path"]
        kind = kind_of(path)
        if kind is None:
            return _not_there()
        try:
            content = (folder / path).read_bytes()
        except OSError:
            return _not_there()
        media, keep = kind
        return Response(content, media_type=media, headers={"Cache-Control": keep, **_FOR_PAGES})

    return Starlette(routes=[Route("/{path:path}", give, methods=["GET"])])


def kind_of(path: str) -> tuple[str, str] | None:
    """The media type of a path of the log and how long it may be kept; None for all that is no path of a log."""
    if path == CHECKPOINT:
        return _TEXT, _ASK_AGAIN
    try:
        tile_at(path)
    except Malformed:
        return None
    return _BYTES, _FOR_EVER  # also a partial one: of one width it has one content


def _not_there() -> Response:
    return PlainTextResponse("not there\n", 404, headers={"Cache-Control": _ASK_AGAIN, **_FOR_PAGES})
