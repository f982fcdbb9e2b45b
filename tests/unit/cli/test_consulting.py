"""Who looks, and why: from options, from the environment, and asked for at a terminal."""

from __future__ import annotations

import io

import pytest

from services.cli import terminal
from services.cli.consulting import checked, looker, search, shown
from services.ground.errors import OnwardError
from services.ground.settings import Settings


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller who asks why."""
    settings = Settings(justification_required=frozenset({"consult"}))
    monkeypatch.setattr(terminal, "settings", lambda: settings)
    for name in ("ONWARD_BY", "ONWARD_ROLE", "ONWARD_BECAUSE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USER", "p.singh")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        """Somebody sits here."""
        return True


@pytest.mark.usefixtures("strict")
def test_without_a_reason_and_without_anybody_to_ask_the_command_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Because.\n"))
    with pytest.raises(SystemExit) as ended:
        looker()
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("strict")
def test_whoever_sits_at_a_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", _Terminal("He rang.\n"))
    monkeypatch.setattr("sys.stderr", _Terminal())
    assert looker().because == "He rang."


@pytest.mark.usefixtures("strict")
def test_an_option_comes_before_the_environment_and_that_before_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONWARD_BECAUSE", "As every Monday.")
    assert looker() == ("p.singh", "operator", "onward", "As every Monday.")
    monkeypatch.setenv("ONWARD_BY", "j.smith")
    monkeypatch.setenv("ONWARD_ROLE", "case_manager")
    assert looker() == ("j.smith", "case_manager", "onward", "As every Monday.")
    assert looker("a.jones", "duty_worker", "He rang.", "hub") == ("a.jones", "duty_worker", "hub", "He rang.")


@pytest.mark.parametrize("because", ["", " ", "two\nlines", "x" * 1001, "\u202eback"])
def test_a_reason_that_no_entry_takes_is_refused(because: str) -> None:
    with pytest.raises(OnwardError, match="--because"):
        checked(because)


def test_a_search_is_named_by_what_was_asked_in_characters_that_an_entry_takes() -> None:
    assert search("rules_replay", since=None, decisions=3) == ("search", "rules_replay?decisions=3")
    assert search("work_list") == ("search", "work_list")
    kind, id_ = search("log", text="a b*c>é" * 60)
    assert (kind, len(id_), set(id_) & set(" *>é")) == ("search", 128, set())


def test_what_is_empty_was_not_shown() -> None:
    assert shown({"legs": [1], "offers": [], "pause": None, "id": "x", "count": 0}, "id") == ["count", "legs"]
