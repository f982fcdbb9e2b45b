"""What ops do with what could not be taken, at a terminal: look, mend, send again, and see what became of it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.test_cli import SOURCE, Terminal, terminal
from tests.support.events import referral

__all__ = ["terminal"]  # a fixture


def test_a_conflict_is_quarantined_shown_mended_and_sent_again_once(terminal: Terminal, tmp_path: Path) -> None:
    first = referral(id="twice", reference="TWICE")
    other = referral(id="twice", reference="ANOTHER")
    terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(first).encode())
    conflict = terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(other).encode())
    assert conflict.returncode == 1
    assert b"conflict" in conflict.stdout
    waiting = [
        row for row in json.loads(terminal.onward("quarantine", "list", "--json").stdout) if row["reason"] == "conflict"
    ]
    aside = waiting[-1]["id"]
    shown = terminal.onward("quarantine", "show", aside).stdout.decode()
    assert json.dumps(other) in shown, "in one piece, also where a terminal is narrow"
    assert f"onward quarantine resend {aside[-8:]} --by" in shown
    assert terminal.onward("status").returncode == 1, "somebody should look"
    mended = tmp_path / "mended.json"
    mended.write_text("")
    for words, says in ((("--with", str(mended)), "is empty"), (("--by", "J Smith"), "your name (--by or USER)")):
        refused = terminal.onward("quarantine", "resend", aside, "--by", "j.smith", *words)
        assert refused.returncode == 2
        assert says in refused.stderr.decode()
        assert "Traceback" not in refused.stderr.decode()
    mended.unlink()
    assert terminal.onward("quarantine", "show", aside, "--out", str(mended)).returncode == 0
    assert json.loads(mended.read_bytes()) == other
    assert mended.stat().st_mode & 0o077 == 0, "for nobody else"
    mended.write_text(json.dumps({**other, "id": "twice-mended"}))
    resend = ("quarantine", "resend", aside, "--with", str(mended), "--by", "j.smith")
    sent = terminal.onward(*resend)
    assert sent.returncode == 0
    assert b"accepted" in sent.stdout
    terminal.until("trace", "twice-mended", has="dispatch")
    assert terminal.onward(*resend).returncode == 1, "not twice without being told"


def test_what_is_refused_again_is_said_at_once(terminal: Terminal, tmp_path: Path) -> None:
    first, other = (referral(id="once", reference=name) for name in ("ONE", "OTHER"))
    for each in (first, other):
        terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(each).encode())
    [aside] = [r["id"] for r in json.loads(terminal.onward("quarantine", "list", "--json").stdout)][-1:]
    same = terminal.onward("quarantine", "resend", aside, "--by", "j.smith")
    assert same.returncode == 1
    assert b"in quarantine again" in same.stdout
    wrong = referral(id="wrong")
    del wrong["data"]["person"]
    mended = tmp_path / "mended.json"
    mended.write_text(json.dumps(wrong))
    [aside] = [r["id"] for r in json.loads(terminal.onward("quarantine", "list", "--json").stdout)][-1:]
    told = terminal.onward("quarantine", "resend", aside, "--by", "j.smith", "--with", str(mended), "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout)["problems"][0]["place"] == "/data/person"
