"""What somebody who verifies the log types, and what they are told, in the log's order and when it is not in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from schemas.log.checkpoint import cosign
from schemas.log.errors import LogError, Unreachable
from schemas.log.handover import hand_over, handovers_line
from schemas.log.note import COSIGNATURE, ED25519, SigningKey, with_signatures
from schemas.log.tiles import encode_bundle
from schemas.log.trust import Trust
from services.cli.audit_source import LARGEST_FILE, LARGEST_LINE, MEANS
from services.cli.main import app
from services.ground.settings import REPOSITORY
from tests.support.audit_log import write_log
from tests.unit.schemas.log.logs import KEY, checkpoint_of, published

SIZE = 600
LEAVES = [b'{"data":{"n":%d}}' % number for number in range(SIZE)]
VKEY = str(KEY.verifier)
WITNESS = SigningKey("w.example", COSIGNATURE, b"w" * 32)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A published log."""
    return write_log(tmp_path / "log", published(LEAVES))


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def onward(*words: object, code: int = 0) -> str:
    """Run a command, and what it says."""
    found = CliRunner().invoke(app, ["audit", *map(str, words)], env={"COLUMNS": "300"})
    assert found.exit_code == code, found.output + found.stderr
    return found.stdout + found.stderr


def machine(*words: object, code: int = 0) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(CliRunner().invoke(app, ["audit", *map(str, words), "--json"]).stdout)
    assert told["ok"] is (code == 0)
    return told


def test_a_log_in_a_folder_verifies_and_says_what_was_shown(log: Path) -> None:
    said = onward("verify", log, "--key", VKEY)
    assert "600 entries are what the log committed to (0 to 599)" in said
    assert f"signed by {KEY.name}+{KEY.verifier.id.hex()}" in said
    told = machine("verify", log, "--key", VKEY)
    assert (told["size"], told["begin"], told["end"], told["grown_from"]) == (600, 0, 600, None)


def test_a_log_verifies_over_http(log: Path) -> None:
    handler = partial(Quiet, directory=str(log))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        assert machine("verify", address, "--key", VKEY)["end"] == SIZE
        (log / "tile/entries/001").unlink()
        assert machine("verify", address, "--key", VKEY, code=1)["position"] == 256
        server.shutdown()
    assert "cannot be read" in onward("verify", address, "--key", VKEY, code=2)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        pass


def test_a_wrong_entry_is_named_and_the_exit_code_says_so(log: Path) -> None:
    (log / "tile/entries/001").write_bytes(encode_bundle([*LEAVES[256:300], b"{}", *LEAVES[301:512]]))
    for words in (("verify", log), ("show", 301, "--log", log), ("verify", log / "tile/entries/001")):
        said = onward(*words, "--key", VKEY, code=1)
        assert "not verified: " in said
        assert "as they are now; then ask the operator" in said
    assert "not verified: entry 300: its hash should be" in onward("verify", log, "--key", VKEY, code=1)
    told = machine("verify", log, "--key", VKEY, code=1)
    assert (told["wrong"], told["position"]) == ("EntryWrong", 300)
    assert told["means"].startswith("This entry is not the one that was signed for its place")
    assert told["next"].startswith("Keep the log")


def test_whatever_can_be_wrong_with_a_log_is_explained() -> None:
    assert set(MEANS) == set(LogError.__subclasses__()) - {Unreachable}


def test_growth_is_verified_from_what_was_remembered(log: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen.txt"
    write_log(log, published(LEAVES[:500]))
    assert machine("verify", log, "--key", VKEY, "--remember", seen)["grown_from"] is None
    write_log(log, published(LEAVES))
    told = machine("verify", log, "--key", VKEY, "--remember", seen)
    assert (told["grown_from"], told["begin"], told["end"]) == (500, 500, 600)
    kept = seen.read_bytes()
    write_log(log, published(LEAVES[:500]))
    said = onward("verify", log, "--key", VKEY, "--remember", seen, code=1)
    assert "the log has 500 entries and had 600" in said
    assert seen.read_bytes() == kept, "what was remembered of a good log is not lost to a bad one"


def test_what_others_were_shown_is_compared(log: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.txt"
    theirs.write_bytes(checkpoint_of(LEAVES[:300]))
    assert machine("verify", log, "--key", VKEY, "--seen", theirs)["end"] == SIZE
    for other in (checkpoint_of([*LEAVES[:-1], b"{}"]), checkpoint_of([b"{}", *LEAVES[1:300]])):
        theirs.write_bytes(other)
        assert machine("verify", log, "--key", VKEY, "--seen", theirs, code=1)["wrong"] == "SplitView"


def test_witnesses_that_are_asked_for_must_have_signed(log: Path) -> None:
    words = ("verify", log, "--key", VKEY, "--witness", WITNESS.verifier)
    assert "needs 1 of 1 witnesses" in onward(*words, code=1)
    raw = checkpoint_of(LEAVES)
    point = Trust([KEY.verifier]).open(raw).checkpoint
    (log / "checkpoint").write_bytes(with_signatures(raw, [cosign(point, WITNESS, at=1_767_225_600)]))
    assert "witness   w.example, Thu 01 Jan 2026 00:00" in onward(*words)
    assert machine(*words)["witnesses"] == [{"name": "w.example", "at": "2026-01-01T00:00:00+00:00"}]
    assert "signatures of w.example" in onward("verify", log, "--key", VKEY)


def test_a_key_that_followed_is_found_by_who_knows_the_one_before(log: Path) -> None:
    new = SigningKey(KEY.name, ED25519, b"n" * 32)
    signed = checkpoint_of(LEAVES, new)
    write_log(log, {"checkpoint": signed})
    onward("verify", log, "--key", VKEY, code=1)
    row = handovers_line(KEY.name, [hand_over(KEY, new)])
    write_log(log, {"checkpoint": with_signatures(signed, [row])})
    told = machine("verify", log, "--key", VKEY)
    assert (told["signed_by"], told["new_keys"]) == ([f"{new.name}+{new.verifier.id.hex()}"], [str(new.verifier)])
    assert f"new key   {new.verifier}, named by the one before it" in onward("verify", log, "--key", VKEY)
    assert machine("verify", log, "--key", new.verifier)["new_keys"] == []


def test_an_entry_and_a_part_are_handed_on_and_verify_alone(log: Path, tmp_path: Path) -> None:
    proof, part = tmp_path / "entry", tmp_path / "part"
    onward("prove", 300, "--log", log, "--key", VKEY, "--out", proof)
    onward("export", "--log", log, "--key", VKEY, "--from", 250, "--to", 520, "--out", part)
    assert part.stat().st_mode & 0o777 == 0o600
    assert "entry 300 is in the log" in onward("verify", proof, "--key", VKEY)
    told = machine("verify", part, "--key", VKEY)
    assert (told["kind"], told["begin"], told["end"]) == ("export", 250, 520)
    part.write_bytes(part.read_bytes().replace(b'\\"n\\":400', b'\\"n\\":401'))
    assert machine("verify", part, "--key", VKEY, code=1)["position"] == 400
    assert '"n": 300' in onward("show", 300, "--log", log, "--key", VKEY)
    assert "no part from 250 to 601" in onward(
        "export", "--log", log, "--key", VKEY, "--from", 250, "--to", 601, "--out", part, code=2
    )
    assert machine("verify", log / "checkpoint", "--key", VKEY)["kind"] == "checkpoint"


def test_what_cannot_be_used_is_told_before_anything_is_verified(log: Path, tmp_path: Path) -> None:
    assert "say by which key" in onward("verify", log, code=2)
    assert "neither a verifier key nor a file" in onward("verify", log, "--key", tmp_path / "no", code=2)
    assert "was changed, or copied in part" in onward("verify", log, "--key", VKEY.replace("onward", "Onward"), code=2)
    assert "needs that many --witness" in onward("verify", log, "--key", VKEY, "--quorum", 1, code=2)
    assert "cannot be read" in onward("verify", tmp_path / "nothing", "--key", VKEY, code=2)
    for one in (log, log / "checkpoint", "http://127.0.0.1:1"):
        assert "--why is for the proof of one entry" in onward("verify", one, "--key", VKEY, "--why", log, code=2)
    assert "for a log" in onward("verify", log / "checkpoint", "--key", VKEY, "--since", log / "checkpoint", code=2)
    keys = tmp_path / "keys"
    keys.write_text(f"{VKEY}\n")
    assert machine("verify", log, "--key", keys)["end"] == SIZE


def test_what_is_too_large_to_be_a_log_s_is_not_read_to_its_end(log: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(b'{"leaf":"' + b"x" * LARGEST_LINE)
    assert "longer than any line" in onward("verify", part, "--key", VKEY, code=1)
    with (log / "checkpoint").open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(log))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        said = onward("verify", f"http://127.0.0.1:{server.server_port}", "--key", VKEY, code=2)
        server.shutdown()
    assert "larger than any file of a log" in said


def test_what_cannot_be_remembered_is_told(log: Path, tmp_path: Path) -> None:
    said = onward("verify", log, "--key", VKEY, "--remember", tmp_path / "no" / "seen", code=2)
    assert "verified, and" in said
    assert "cannot be written" in said


def test_the_consumer_s_page_names_commands_and_options_that_there_are() -> None:
    page = (REPOSITORY / "docs" / "audit.md").read_text().replace("\\\n", " ")
    typed = [line.removeprefix("$ onward audit ").split() for line in page.splitlines() if "$ onward audit " in line]
    assert {words[0] for words in typed} >= {"verify", "show", "prove", "export", "tail", "witness"}
    for name, *words in typed:
        helped = onward(name, "--help")
        assert all(word in helped for word in words if word.startswith("--")), (name, words)
