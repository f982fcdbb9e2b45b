"""The audit entries of the case: each says what DPA 2018 s.62 asks, each act has one, and each names what is there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import jsonschema
import orjson
import pytest
from sqlalchemy import Connection, Table, delete, func, insert, select

from schemas.audit import AuditEntry
from services.audit.store import log_entries
from services.cli.acts import ACTS
from services.cli.playing import begin, happen
from services.cli.reconciling import Reconciled, reconciled
from services.cli.story import BEGINNING, steps
from services.dispatch.store import deliveries
from services.ground import tables
from services.ground.clock import SetClock
from services.ground.ids import new_id
from services.ground.settings import REPOSITORY, Settings
from services.ground.work import Work
from services.intake import store as intake
from services.intake.retention import retention
from services.router import store as router
from tests.support.events import decision, referral, referral_of
from tests.support.system import System, system
from tests.support.typed import Typed

SCHEMA = json.loads((REPOSITORY / "schemas" / "json" / "onward.audit.entered.v1.json").read_text())
ALWAYS = {"entry_id", "operation", "at", "actor", "records", "purpose", "correlation_id"}
# What each entry says beside that, by operation and purpose. A reason is `because` (of rules) or `justification`.
SAYS: Mapping[tuple[str, str], set[str]] = {
    ("collect", "referral"): {"person_id", "fields", "lawful_basis"},
    ("collect", "risk"): {"person_id", "fields"},
    ("collect", "progress"): {"person_id", "fields"},
    ("collect", "decision"): {"person_id", "fields", "justification_commitment"},
    ("collect", "repeat"): {"person_id", "fields"},
    ("collect", "quarantine"): {"fields"},
    ("alter", "quarantine"): {"person_id", "fields"},
    ("alter", "sent_again"): {"fields", "justification_commitment"},
    ("alter", "routing"): {"person_id", "fields", "lawful_basis", "causation_id", "decision_id", "rule_set"},
    ("alter", "rules"): {"fields", "justification", "rule_set"},
    ("alter", "two_persons"): {"person_id", "fields", "justification_commitment"},
    ("combine", "referral"): {"person_id", "fields", "lawful_basis"},
    ("combine", "one_person"): {"person_id", "fields", "justification_commitment"},
    ("combine", "two_persons_again"): {"person_id", "fields", "justification_commitment"},
    ("disclose", "referral"): {
        "person_id", "fields", "recipient", "lawful_basis", "because", "causation_id", "decision_id", "rule_set",
    },
    ("disclose", "outcome"): {
        "person_id", "fields", "recipient", "lawful_basis", "justification", "causation_id", "decision_id", "rule_set",
    },
    ("disclose", "receipt"): {"fields", "recipient", "justification"},
    ("consult", "operations"): {"person_id", "fields", "justification_commitment"},
    ("consult", "case_for_ops"): {"person_id", "fields", "justification_commitment"},
    ("consult", "case_for_person_side"): {"person_id", "fields", "justification_commitment"},
    ("consult", "quarantine"): {"fields", "justification"},
    ("consult", "decision"): {"person_id", "fields", "justification_commitment"},
    ("consult", "work_list"): {"fields", "justification"},
    ("consult", "rules"): {"fields", "justification"},
    ("consult", "audit"): {"fields", "justification"},
    ("alter", "legal_hold"): {"person_id", "fields", "justification_commitment"},
    ("consult", "retention"): {"person_id", "fields", "justification_commitment"},
    ("consult", "erasure"): {"person_id", "fields", "justification_commitment"},
    ("erase", "erasure"): {"person_id", "fields", "justification"},
    ("erase", "retention"): {"fields", "justification"},
}  # fmt: skip
WHY = "The court asks how he is."


@pytest.mark.timeout(400)
async def test_every_entry_of_the_case_says_what_it_must_and_each_act_has_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock(BEGINNING)
    async with system(settings.model_copy(update={"timer_seconds": 0.03}), clock=clock) as onward:
        for step in steps():
            await begin(step, onward.world, onward.connection, clock)
            await happen(step, onward.world, onward.connection)
        await _besides(onward)
        typed = Typed(onward.world.settings, clock, monkeypatch)
        await _look(typed)
        clock.move(timedelta(minutes=1))  # until the sweep sends what the commands left
        await onward.settle()
        await _let_go(onward, typed)
        clock.move(timedelta(minutes=1))
        await onward.settle()
        entries = await _entries(onward)
        assert [said for entry in entries for said in _lacking(entry)] == []
        assert {_sort(entry) for entry in entries} == set(SAYS), "each is met, and there are no others"
        found = await onward.world.database.read(reconciled)
        assert (found.findings, dict(found.unknown), found.log.on_their_way) == ([], {}, 0)
        assert [act for act in ACTS if not found.acts[act.kind].acts] == [], "every kind of act was there"
        in_pages = await onward.world.database.read(lambda c: reconciled(c, page=7))
        assert (in_pages.acts, in_pages.records) == (found.acts, found.records)
        await _faults_are_found(onward, found)


def _lacking(entry: dict[str, Any]) -> list[str]:
    """What an entry should say and does not, and where it is not as published."""
    AuditEntry.model_validate_json(json.dumps(entry))
    errors = jsonschema.Draft202012Validator(SCHEMA).iter_errors(entry)
    wanted = ALWAYS | SAYS.get(_sort(entry), set())
    said = {name for name, value in entry.items() if value}
    said |= {name.removesuffix("_commitment") for name in said}  # of a person it is sealed, of nobody in clear
    lacking = sorted(name for name in wanted if name not in said)
    return [*(f"{_sort(entry)} lacks {name}" for name in lacking), *(error.message for error in errors)]


def _sort(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["operation"], entry["purpose"]


async def _besides(onward: System) -> None:
    """What the case has not: a repeat, a message nobody can read, one that is refused, and persons who are one."""
    first = referral()
    first["id"] = "again"
    for _ in range(2):
        await onward.publish(first)
    await onward.publish(b"no envelope", source="met-police")
    for number in (1, 2):
        await onward.publish(referral_of(number))
    await onward.settle()
    one, other = [
        row["person_id"]
        for row in await onward.rows(
            "SELECT person_id FROM accepted_events WHERE origin_id LIKE 'referral-%' ORDER BY 1"
        )
    ]
    for kind in ("keep_persons_apart", "merge_persons", "unmerge_persons", "unmerge_persons"):
        word = decision(kind, person_id=one, other_person_id=other)
        await onward.publish(word, channel="decision")
        await onward.settle()
    [leg] = await onward.rows("SELECT id FROM legs WHERE destination = 'dapp' AND closed_at IS NULL LIMIT 1")
    wrong = decision("resume_leg", leg_id=leg["id"])
    await onward.publish(wrong, channel="decision")
    await onward.settle()


async def _look(typed: Typed) -> None:
    """Everything by which a person sees something."""
    [event] = {row["event_id"] for row in (await typed.json("work", "list", "--because", WHY))[:1]}
    whose = ("case", "NS-2025-0031877")
    aside = (await typed.json("quarantine", "list", "--because", WHY))[0]["id"]
    for words in (
        ("trace", event),
        whose,
        (*whose, "--html", "-"),
        (*whose, "--svg", "-", "--for", "person-side"),
        ("quarantine", "show", aside),
        ("work", "show", (await typed.json("work", "list", "--because", WHY))[0]["id"]),
        ("rules", "explain", event),
        ("rules", "diff", "rulesets/default", "rulesets/default"),
        ("rules", "replay", "rulesets/default"),
        ("audit", "report"),
        ("audit", "report", "NS-2025-0031877", "--since", "2026-11-01"),
    ):
        done = await typed.onward(*words, "--because", WHY)
        assert done.exit_code == 0, (words, done.output)
    done = await typed.onward("quarantine", "resend", aside, "--by", "j.smith", "--because", "As it was.")
    assert done.exit_code == 1, done.output
    assert "in quarantine again" in done.output


async def _let_go(onward: System, typed: Typed) -> None:
    """Somebody is held, released and erased, and what was set aside is over its time."""
    who = ("X000001", "--by", "r.manager", "--because", WHY)
    for words in (
        ("hold", *who),
        ("release", *who),
        ("show", "X000001", "--because", WHY),
        ("erase", *who, "--yes", "--even-open"),
    ):
        done = await typed.onward("person", *words)
        assert done.exit_code == 0, (words, done.output)
    chore = retention(onward.world.settings.model_copy(update={"retention_refused_days": 1e-6}))

    def look(connection: Connection) -> bool:
        work = Work(connection, service="intake", now=onward.world.clock.now())
        more = chore.act(work)
        work.finish()
        return more

    while await onward.world.database.write(look):
        pass


async def _entries(onward: System) -> list[dict[str, Any]]:
    rows = await onward.rows("SELECT entry FROM log_entries ORDER BY position")
    return [orjson.loads(bytes(row["entry"]))["data"] for row in rows]


# What makes a row of each kind an act that nobody entered: the columns that get a value of their own.
PLANTS: Mapping[str, tuple[Table, tuple[str, ...]]] = {
    "accepted event": (intake.accepted_events, ("event_id", "origin_id")),
    "repeated message": (intake.raw_messages, ("id",)),
    "set aside": (tables.quarantine, ("id", "delivery")),
    "sent again": (tables.quarantine, ("id", "delivery", "resent_as")),
    "merge": (intake.person_merges, ("id", "merged")),
    "parting": (intake.person_merges, ("id", "merged", "undone_event")),
    "kept apart": (intake.persons_apart, ("one", "other")),
    "event decided": (router.case_events, ("event_id",)),
    "decision": (router.decisions, ("id",)),
    "leg step": (router.leg_history, ("id", "event_id")),
    "review": (router.reviews, ("id",)),
    "human decision": (router.human_decisions, ("event_id",)),
    "offer": (router.offers, ("id",)),
    "pause": (router.pauses, ("id",)),
    "welfare check": (router.welfare_checks, ("id",)),
    "delivery": (deliveries, ("command_id", "message_id")),
    "receipt of a case": (tables.outbox, ("id",)),
    "legal hold": (intake.legal_holds, ("id",)),
    "release of a hold": (intake.legal_holds, ("id", "release_id")),
    "erasure": (intake.erasures, ("person_id",)),
    "disposal": (intake.disposals, ("id",)),
    "step of a rule set": (router.rule_set_steps, ("id",)),
}


class _Undo(Exception):
    """What was planted is not kept."""


async def _faults_are_found(onward: System, well: Reconciled) -> None:
    """An act without its entry, an entry without its act, and a lost entry are found; one on its way is not missing."""
    assert set(PLANTS) == {act.kind for act in ACTS}
    for act in ACTS:
        found, new = await _planted(onward, act.kind)
        assert act.kind in {finding.kind for finding in found.findings}, found.findings
        assert found.acts[act.kind].missing > well.acts[act.kind].missing == 0
        assert all(new in finding.why for finding in found.findings), "and of nothing else"

    lost = await _lost(onward, "delivery", forgotten=True)
    assert {finding.kind for finding in lost.findings} >= {"delivery", "log"}
    waiting = await _lost(onward, "delivery", forgotten=False)
    assert {finding.kind for finding in waiting.findings} == {"log"}, "only the gap: the entry is on its way"
    assert waiting.acts["delivery"].on_their_way == 1

    [ghost] = (await _altered(onward, "disclose", lambda e: e["records"][1].update(id=new_id(BEGINNING)))).findings[-1:]
    assert "names a message that is not there" in ghost.why
    mute = await _altered(onward, "disclose", lambda e: e.pop("because", None) or e.pop("justification", None))
    assert [f.why for f in mute.findings if "reasons" in f.why]


async def _planted(onward: System, kind: str) -> tuple[Reconciled, str]:
    table, changed = PLANTS[kind]
    new, found = new_id(BEGINNING), list[Reconciled]()
    [act] = [act for act in ACTS if act.kind == kind]

    def plant(connection: Connection) -> None:
        key = act.page(connection, None, 1)[0]
        where = [
            table.c[name] == key[name] for name in (column.name for column in table.primary_key.columns) if name in key
        ]
        row = dict(connection.execute(select(table).where(*where)).mappings().first() or {})
        row |= dict.fromkeys(changed, new)
        if "sequence" in row and table is intake.accepted_events:
            row["sequence"] = 1_000_000
        connection.execute(insert(table), row)
        found.append(reconciled(connection))
        raise _Undo

    with pytest.raises(_Undo):
        await onward.world.database.write(plant)
    return found[0], new


async def _lost(onward: System, kind: str, *, forgotten: bool) -> Reconciled:
    """The first entry of a kind of act is taken out of the log, and forgotten, or waits for it again."""
    found: list[Reconciled] = []
    [act] = [act for act in ACTS if act.kind == kind]

    def lose(connection: Connection) -> None:
        sought = act.sought(act.page(connection, None, 1)[0])[0]
        [entry] = [
            entry
            for entry in connection.execute(select(log_entries.c.entry)).scalars()
            if {"kind": sought.kind, "id": sought.id} in orjson.loads(entry)["data"]["records"]
        ]
        connection.execute(delete(log_entries).where(log_entries.c.entry == entry))
        if not forgotten:
            connection.execute(insert(tables.audit_entries), {"entry": entry})
        found.append(reconciled(connection))
        raise _Undo

    with pytest.raises(_Undo):
        await onward.world.database.write(lose)
    return found[0]


async def _altered(onward: System, operation: str, change: Any) -> Reconciled:
    """One more entry, like another of this operation and changed."""
    found: list[Reconciled] = []

    def alter(connection: Connection) -> None:
        query = select(log_entries).where(log_entries.c.operation == operation).order_by(log_entries.c.position)
        row = dict(connection.execute(query.limit(1)).mappings().one())
        last = connection.execute(select(func.max(log_entries.c.position))).scalar_one()
        envelope = orjson.loads(row["entry"])
        envelope["data"]["entry_id"] = new_id(BEGINNING)
        change(envelope["data"])
        row |= {"position": last + 1, "entry_id": envelope["data"]["entry_id"], "entry": orjson.dumps(envelope)}
        connection.execute(insert(log_entries), row)
        found.append(reconciled(connection))
        raise _Undo

    with pytest.raises(_Undo):
        await onward.world.database.write(alter)
    return found[0]
