"""The worklist, as a case manager uses it at a terminal, against a system that `onward up` runs."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, time, timedelta

from services.cli.worklist import working_hours
from services.ground.clock import LONDON
from services.router.rules.calendar import Calendar, Nation
from tests.e2e.test_cli import SOURCE, Terminal, terminal
from tests.support.events import decision, example, referral, risk

__all__ = ["terminal"]  # the fixture

WHO = ("--by", "j.smith", "--organisation", "Northshire hub", "--because", "The force confirmed it.")
MANAGER = (*WHO, "--role", "case_manager")


def _asked(there: Terminal, name: str) -> tuple[str, str]:
    """Send a referral that lacks a fact. Returns the question's id and the event's."""
    event = referral(id=name, reference=name.upper())
    del event["data"]["relationship"]
    event["data"]["person"]["identifiers"] = {}
    event["data"]["person"]["name"] = {"given": name, "family": "Worklist"}
    there.onward("send", "-", "--source", SOURCE, given=json.dumps(event).encode())
    there.until("trace", name, has="dispatch")
    event_id = json.loads(there.onward("trace", name, "--json").stdout)["event_id"]
    found = json.loads(there.onward("work", "list", "--json").stdout)
    [review] = [row["id"] for row in found if row["event_id"] == event_id and row["fact"] == "relationship"]
    return review, event_id


def _answer(there: Terminal, review: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    return there.onward("work", "answer", review, *words)


def test_what_waits_is_listed_the_longest_overdue_first_and_by_role(terminal: Terminal) -> None:
    review, _ = _asked(terminal, "listed")
    found = json.loads(terminal.onward("work", "list", "--json").stdout)
    assert [row["due_at"] for row in found] == sorted(row["due_at"] for row in found)
    mine = json.loads(terminal.onward("work", "list", "--role", "Case Manager", "--json").stdout)
    assert review in {row["id"] for row in mine}
    assert {row["role"] for row in mine} == {"case_manager"}
    assert json.loads(terminal.onward("work", "list", "--due-before", "2020-01-01", "--json").stdout) == []
    by_reference = json.loads(terminal.onward("work", "list", "--person", "LISTED", "--json").stdout)
    assert review in {row["id"] for row in by_reference}
    assert len({row["person_id"] for row in by_reference}) == 1
    shown = terminal.onward("work", "list").stdout.decode()
    assert f"{len(found)} open, 0 overdue." in shown
    for row in found:  # whole also where a terminal is narrow
        assert f"{row['id'][-8:]}  due " in shown
        assert row["role"] in shown
        assert row["question"] in " ".join(shown.split())
    nobody = terminal.onward("work", "list", "--person", "nobody-we-know")
    assert (nobody.returncode, nobody.stdout) == (1, b""), "which is not that nothing waits"
    unknown = terminal.onward("work", "list", "--role", "king")
    assert unknown.returncode == 2
    assert "safeguarding_lead" in unknown.stderr.decode()


def test_a_question_is_shown_with_what_it_is_about_and_the_look_is_audited(terminal: Terminal) -> None:
    review, event_id = _asked(terminal, "shown")
    shown = terminal.onward("work", "show", review).stdout.decode()
    for words in ("case_manager or programme_manager", "ex_partner", "not_known", "referral on", "relationship"):
        assert words in shown
    found = json.loads(terminal.onward("work", "show", review, "--json").stdout)
    assert found["event"]["event_id"] == event_id
    assert found["because"]
    case = terminal.until("case", "SHOWN", "--json", has=review)
    assert review in case
    assert terminal.onward("work", "show", "nothing-like-it").returncode == 1


def test_a_fact_is_answered_and_what_opened_is_told(terminal: Terminal) -> None:
    review, _ = _asked(terminal, "answered")
    low = _answer(terminal, review, *WHO, "--role", "duty worker", "--fact-value", "partner")
    assert low.returncode == 1
    assert "case_manager or programme_manager" in low.stdout.decode()
    taken = _answer(terminal, review, *MANAGER, "--fact-value", "partner")
    assert taken.returncode == 0, taken.stderr
    assert "taken" in taken.stdout.decode()
    assert "dapp: requested" in taken.stdout.decode()
    again = _answer(terminal, review, *MANAGER, "--fact-value", "partner", "--json")
    assert again.returncode == 1
    [problem] = json.loads(again.stdout)["problems"]
    assert problem == {"place": "/data/review_id", "message": "was answered already"}


def test_a_question_is_put_off_and_its_reason_is_shown(terminal: Terminal) -> None:
    review, _ = _asked(terminal, "snoozed")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    assert _answer(terminal, review, *MANAGER, "--snooze-until", tomorrow).returncode == 0
    shown = terminal.onward("work", "show", review).stdout.decode()
    assert "put off 1 times" in shown
    assert "The force confirmed it." in shown
    late = _answer(terminal, review, *MANAGER, "--snooze-until", "2199-01-01")
    assert late.returncode == 1
    assert "at most 14 days" in late.stdout.decode()


def test_what_is_wrong_with_an_answer_is_said_before_anything_is_sent(terminal: Terminal) -> None:
    review, _ = _asked(terminal, "wrong")
    for words, says in (
        ((), "say one of --answer"),
        (("--confirm", "--refuse"), "say one of --answer"),
        (("--snooze-until", "soon"), "'soon' is no day or moment"),
    ):
        refused = _answer(terminal, review, *MANAGER, *words)
        assert refused.returncode == 2
        assert says in refused.stderr.decode()
    nameless = _answer(terminal, review, "--by", "J Smith", *MANAGER[2:], "--answer", "not_known")
    assert nameless.returncode == 2
    assert "your name (--by or USER) must be visible ASCII" in nameless.stderr.decode()
    assert nameless.stdout == b"", "whoever cannot be entered is shown nothing"


def _dapp_offered(there: Terminal, name: str) -> str:
    """A man on the programme whose relapse has him offered a pause. Returns the leg's id."""
    event = referral(id=name, reference=name.upper())
    event["data"]["person"] |= {"identifiers": {}, "name": {"given": name, "family": "Pauses"}}
    there.onward("send", "-", "--source", SOURCE, given=json.dumps(event).encode())
    there.until("trace", name, has="dispatch")
    person = json.loads(there.onward("work", "show", name.upper(), "--json").stdout)
    [leg] = [str(each["id"]) for each in person["legs"] if each["destination"] == "dapp"]
    now = datetime.now(UTC).isoformat()
    started = example("progress-started", id=f"{name}-started", leg_id=leg, occurred_at=now)
    relapse = risk(id=f"{name}-relapse", about={"leg_id": leg}, occurred_at=now)
    for said in (started, relapse):
        there.onward("send", "-", "--source", "dapp-northshire", given=json.dumps(said).encode())
        there.until("trace", said["id"], has="decided by")
    return leg


def _day(ahead: int) -> str:
    return (datetime.now(LONDON) + timedelta(days=ahead)).date().isoformat()


def test_what_nobody_asked_for_is_decided_on_a_leg_and_refused_in_a_sentence(terminal: Terminal) -> None:
    leg = _dapp_offered(terminal, "pauses")
    there = ("--person", "PAUSES", "--leg", "dapp")

    def decide(kind: str, *words: str) -> subprocess.CompletedProcess[bytes]:
        return terminal.onward("work", "decide", kind, *(words or there), *MANAGER)

    shown = terminal.onward("work", "show", leg).stdout.decode()
    assert "a pause of 28 days for relapse" in shown
    assert f"onward work decide agree_offer --leg {leg[-8:]} --by NAME" in shown
    agreed = decide("agree-offer")
    assert agreed.returncode == 0, agreed.stdout
    assert "dapp: on_hold" in agreed.stdout.decode()
    assert "a check every 7 days" in agreed.stdout.decode()
    traced = " ".join(terminal.onward("trace", "pauses-relapse").stdout.decode().replace("│", " ").split())
    assert f"offers a pause of leg {leg[-8:]} for 28 days (agreed)" in traced
    assert "addiction_service (leg" in traced
    early = decide("record_check", *there, "--outcome", "well")
    assert "No welfare check is near enough" in early.stdout.decode()
    elsewhere = decide("close_leg", *there, "--status", "on_hold", "--reason-code", "moved_away", "--json")
    told = json.loads(elsewhere.stdout)
    assert (told["outcome"], told["reason"]) == ("refused", "not_allowed")
    assert told["allowed"] == ["deselected", "not_suitable", "programme_complete", "withdrawn"]
    statuses = terminal.onward("work", "show", leg).stdout.decode().partition("STATUS is one of")[2]
    assert "deferred" in statuses
    assert "recall" not in statuses, "what no leg can come to here is not offered"
    again = decide("agree_offer")
    assert (again.returncode, again.stdout.decode().splitlines()[-1]) == (
        1, "refused: no offer of a pause is open on this leg.",
    )  # fmt: skip
    early = decide("extend_pause", "--leg", leg[-8:], "--on", _day(3))
    assert (early.returncode, early.stdout.decode().splitlines()[-1]) == (
        1, "refused: --on must be after the pause's end.",
    )  # fmt: skip
    for kind, more, has in (
        ("extend_pause", ("--on", _day(42)), f"to {_day(42)}"),
        ("shorten_pause", ("--on", _day(35)), f"to {_day(35)}"),
        ("reschedule_check", ("--on", _day(8)), f"check {_day(8)} planned"),
        ("mute_checks", ("--on", _day(20)), f"no checks up to {_day(20)}"),
        ("resume_leg", (), "dapp: on_programme"),
        ("correct_status", ("--status", "scheduled"), "dapp: scheduled"),
        ("close_leg", ("--reason-code", "disengaged"), "asks case_manager"),
    ):
        role = "programme_manager" if kind == "mute_checks" else "case_manager"
        done = terminal.onward("work", "decide", kind, *there, *more, *WHO, "--role", role)
        assert (done.returncode, has in done.stdout.decode()) == (0, True), (kind, done.stdout, done.stderr)
    [asked] = [
        row for row in json.loads(terminal.onward("work", "list", "--person", "PAUSES", "--json").stdout)
        if row["kind"] == "closed"
    ]  # fmt: skip
    assert asked["about"] == "dapp"
    can = json.loads(terminal.onward("work", "show", asked["id"], "--json").stdout)["ways"]
    assert f"onward work decide reopen_leg --leg {leg[-8:]} --review {asked['id'][-8:]}" in {
        way["command"].split(" --by")[0] for way in can
    }
    opened = terminal.onward("work", "decide", "reopen_leg", "--review", asked["id"], *MANAGER, "--json")
    assert opened.returncode == 0, opened.stdout
    assert json.loads(opened.stdout)["leg"]["status"] == "requested"


def test_a_slip_is_told_before_anything_is_sent_and_leaves_nothing_in_quarantine(terminal: Terminal) -> None:
    review, _ = _asked(terminal, "slips")
    aside = json.loads(terminal.onward("quarantine", "list", "--json").stdout)
    for words, code, says in (
        (("decide", "close_legs", "--review", review), 2, "did you mean 'close_leg'?"),
        (("decide", "close_leg", "--review", review, "--reason-code", "disengagd"), 2, "did you mean 'disengaged'?"),
        (("decide", "correct_status", "--review", review, "--status", "paused"), 2, "there are requested, sent"),
        (("decide", "extend_pause", "--review", review, "--on", "soon"), 2, "'soon' is no day"),
        (("decide", "resume_leg", "--leg", "dapp"), 1, "say --person too"),
        (("decide", "close_leg", "--reason-code", "other"), 1, "close_leg needs leg_id"),
        (("decide", "merge_persons", "--with", "SLIPS"), 2, "--with needs --person"),
    ):
        refused = terminal.onward("work", *words, *MANAGER)
        assert (refused.returncode, says in refused.stderr.decode()) == (code, True), (words, refused.stderr)
    assert json.loads(terminal.onward("quarantine", "list", "--json").stdout) == aside


def test_the_age_of_a_question_is_counted_in_hours_in_which_people_work() -> None:
    calendar = Calendar(Nation.ENGLAND_AND_WALES, day_ends=time(17), closures=(), seasons=())
    friday = datetime(2026, 3, 27, 16, tzinfo=UTC)  # before the clocks change; 17:00 is 17:00 UTC
    monday = datetime(2026, 3, 30, 9, tzinfo=UTC)  # after: this is 10:00 in London
    assert working_hours(calendar, friday, monday) == 2.0
    assert working_hours(calendar, monday, monday) == 0


def test_two_who_are_one_are_merged_at_the_terminal(terminal: Terminal) -> None:
    for name in ("one-of-two", "two-of-two"):
        event = referral(id=name, reference=name.upper())
        event["data"]["person"] |= {"identifiers": {}, "name": {"given": "Same", "family": "Somebody"}}
        terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(event).encode())
        terminal.until("trace", name, has="dispatch")
    waiting = json.loads(terminal.onward("work", "list", "--person", "TWO-OF-TWO", "--json").stdout)
    [asked] = [row for row in waiting if row["kind"] == "link"]
    [known] = asked["perhaps"]
    assert known in terminal.onward("work", "show", asked["id"]).stdout.decode()
    taken = _answer(terminal, asked["id"], *MANAGER, "--merge-with", known)
    assert taken.returncode == 0, taken.stdout
    assert b"\ntaken " in taken.stdout
    for name in ("ONE-OF-TWO", "TWO-OF-TWO"):
        [case] = json.loads(terminal.onward("case", name, "--json").stdout)
        assert (case["person_id"], case["joined"]) == (known, [asked["person_id"]])


def test_whoever_may_send_no_decisions_is_told_so_at_once(terminal: Terminal) -> None:
    said = decision("answer_review", source=SOURCE, review_id="01a20955-0000-7000-8000-000000000000")
    refused = terminal.onward("send", "-", "--source", SOURCE, given=json.dumps(said).encode())
    assert refused.returncode == 1, refused.stdout
    assert b"refused" in refused.stdout
    assert b"takes no decisions from this source" in refused.stdout + refused.stderr
