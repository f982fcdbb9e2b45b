"""A witness: keeps, for each log that it knows, the largest checkpoint that it signed, and never signs another past.

It is meant to run elsewhere than the log, by somebody else. Its state is one file, on disk before it answers.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from schemas.log.checkpoint import Checkpoint
from schemas.log.errors import LogError
from schemas.log.note import Note, SigningKey, VerifierKey, with_signatures
from schemas.log.witnessing import LARGEST_REQUEST, PATH, Answer, Seen, judge
from services.audit.files import write_whole
from services.ground.clock import Clock
from services.ground.errors import OnwardError

OWNER_ALONE: Final = 0o600
TOO_LARGE: Final = 413


class WitnessState:
    """The file that remembers what was signed. One process at a time has it."""

    def __init__(self, file: Path) -> None:
        """Open it, or begin it. Raises OnwardError where it cannot be used: a witness that forgets is none."""
        self._file = file
        self._lock = _held_alone(file)
        try:
            self.notes = _read(file)  # by origin, the checkpoint with our signature under it
        except OnwardError:
            self.close()
            raise
        self.last = {origin: _checkpoint(note) for origin, note in self.notes.items()}

    def keep(self, seen: Seen) -> None:
        """Have it on disk."""
        checkpoint = seen.checkpoint.checkpoint
        notes = {**self.notes, checkpoint.origin: with_signatures(seen.checkpoint.raw, [seen.cosigned]).decode()}
        write_whole(self._file, orjson.dumps(notes, option=orjson.OPT_INDENT_2), mode=OWNER_ALONE)
        self.notes, self.last[checkpoint.origin] = notes, checkpoint

    def close(self) -> None:
        """Let another process have it."""
        self._lock.close()


class Witness:
    """Answers logs that ask for a cosignature, and whoever asks what was signed last."""

    def __init__(self, key: SigningKey, logs: Sequence[VerifierKey], state: WitnessState, clock: Clock) -> None:
        self._key = key
        self._logs = logs
        self._state = state
        self._clock = clock
        self._one_at_a_time = threading.Lock()

    def add_checkpoint(self, body: bytes) -> Answer:
        """Judge a checkpoint, and have it on disk before the signature is given out."""
        with self._one_at_a_time:
            now = int(self._clock.now().timestamp())
            answer, seen = judge(body, logs=self._logs, last=self._state.last, key=self._key, now=now)
            if seen is not None:
                self._state.keep(seen)
            return answer

    def app(self) -> Starlette:
        """The HTTP service: `POST /add-checkpoint` of C2SP, and `GET /checkpoint?origin=` for people who compare."""
        return Starlette(routes=[
            Route(PATH, self._add, methods=["POST"]),
            Route("/checkpoint", self._last, methods=["GET"]),
        ])  # fmt: skip

    async def _add(self, request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_REQUEST:
                return PlainTextResponse(f"more than {LARGEST_REQUEST} bytes\n", TOO_LARGE)
        answer = await run_in_threadpool(self.add_checkpoint, body)
        return Response(answer.body, answer.status, media_type=answer.content_type)

    async def _last(self, request: Request) -> Response:
        note = self._state.notes.get(request.query_params.get("origin", ""))
        return PlainTextResponse(note) if note is not None else PlainTextResponse("nothing was signed of it\n", 404)


def _held_alone(file: Path) -> IO[bytes]:
    """Hold the file's place, so that two processes never answer from one memory."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = file.with_name(f".{file.name}.lock").open("wb")
    except OSError as error:
        raise OnwardError(f"the witness's memory {file} cannot be used: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise OnwardError(f"another witness runs with {file}; stop it first") from None
    return lock


def _read(file: Path) -> dict[str, str]:
    try:
        notes = orjson.loads(file.read_bytes())
        if isinstance(notes, dict) and all(_checkpoint(note).origin == origin for origin, note in notes.items()):
            return notes
    except FileNotFoundError:
        return {}
    except (OSError, orjson.JSONDecodeError, LogError, AttributeError):
        pass
    raise OnwardError(
        f"the witness's memory {file} cannot be read. Put it back from a copy: without it the witness could sign two"
        " logs as one"
    )


def _checkpoint(note: str) -> Checkpoint:
    return Checkpoint.parse(Note.parse(note.encode()).text)
