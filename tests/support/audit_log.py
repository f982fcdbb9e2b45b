"""A published log in a folder, and witnesses as processes, for tests of whoever verifies them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.log.note import VerifierKey
from services.ground.nats_server import _die_with_parent
from services.ground.settings import REPOSITORY

ONWARD = (sys.executable, "-m", "services.cli.main", "audit")


def write_log(folder: Path, files: dict[str, bytes]) -> Path:
    """Publish a log there."""
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


@dataclass
class RunningWitness:
    """A witness in a process of its own."""

    process: subprocess.Popen[str]
    vkey: str
    url: str

    @property
    def asked(self) -> str:
        """As the setting ONWARD_WITNESSES names it."""
        return f"{self.url} {self.vkey}"


@contextmanager
def running_witnesses(
    folder: Path, names: Sequence[str], logs: Sequence[VerifierKey]
) -> Iterator[list[RunningWitness]]:
    """Witnesses of these logs, which listen when this is entered."""
    processes = [_start(folder, name, logs) for name in names]
    try:
        yield [RunningWitness(process, _said(process), _said(process)) for process in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(10)
            assert process.stdout is not None
            process.stdout.close()


def _start(folder: Path, name: str, logs: Sequence[VerifierKey]) -> subprocess.Popen[str]:
    words = [*ONWARD, "witness", "--state", str(folder / f"{name}.json"), "--key", str(folder / f"{name}.key")]
    for log in logs:
        words += ["--log", str(log)]
    return subprocess.Popen(
        [*words, "--name", name, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        preexec_fn=_die_with_parent,
    )


def _said(process: subprocess.Popen[str]) -> str:
    """The last word of its next line."""
    assert process.stdout is not None
    return process.stdout.readline().split()[-1]
