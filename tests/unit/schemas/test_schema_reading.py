from __future__ import annotations

import contextlib
import copy
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import Channel, Envelope, EventType
from schemas.places import without_names
from schemas.reading import Unreadable, canonical, digest_of, read, said_by
from schemas.referral import ReferralSubmitted
from schemas.registry import read_accepted, read_submission
from schemas.risk import RiskReported

REFERRAL = Envelope[ReferralSubmitted]
CANARY = "Zebedee Qanary-4471"
GOOD = (Path(__file__).parents[3] / "schemas/examples/referral-assault-on-partner.json").read_bytes()

Place = tuple[str | int, ...]


def places(value: object, at: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value, the whole first."""
    yield at
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from places(member, (*at, key))


def with_value(whole: Any, at: Place, value: object) -> bytes:
    if not at:
        return json.dumps(value).encode()
    changed = copy.deepcopy(whole)
    parent = changed
    for token in at[:-1]:
        parent = parent[token]
    parent[at[-1]] = value
    return json.dumps(changed).encode()


def refusal(raw: bytes) -> Unreadable | None:
    try:
        read(raw, REFERRAL, extra="forbid")
    except Unreadable as error:
        return error
    return None


def problems_with(raw: bytes) -> dict[str, str]:
    with pytest.raises(Unreadable) as refused:
        read(raw, REFERRAL, extra="forbid")
    return {problem.place: problem.message for problem in refused.value.problems}


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ('"behaviours"', '"behaviors"', "/data/incident/behaviors", "did you mean 'behaviours'?"),
        ('"lawful_basis"', '"lawful_bases"', "/data/lawful_basis", "is required"),
        ('2025-11-03T02:40:00Z"', '2025-11-03T02:40:00"', "/time", "must have a time zone"),
        ('"2025-11-03T02:40:00Z"', '"1762137600"', "/time", "must be a date and time with its zone"),
        ('"2025-11-03T02:40:00Z"', "1762137600", "/time", "must be a date and time as text"),
        ('"2025-11-03T02:40:00Z"', '"2025-02-30T02:40:00Z"', "/time", "date and time that exists"),
        ('"2025-11-03T02:40:00Z"', '"0001-01-01T00:00:00+14:00"', "/time", "must be at least"),
        ('"1986-04-17"', '"1986-04-31"', "/data/person/date_of_birth", "date that exists"),
        ('"1986-04-17"', '"513648000"', "/data/person/date_of_birth", "must be a date"),
        ('"ticks": 12', '"ticks": "12"', "/data/risk/ticks", "must be a whole number"),
        ('"ticks": 12', '"ticks": 12.0', "/data/risk/ticks", "must be a whole number"),
        ('"ticks": 12', '"ticks": true', "/data/risk/ticks", "must be a whole number"),
        ('"ticks": 12', '"ticks": 28', "/data/risk", "ticks cannot be more than max"),
        ('"partner"', '"Partner"', "/data/relationship", "must be one of"),
        ('"999 000 1235"', '"999 000 1236"', "/data/person/identifiers/nhs_number", "check digit"),
        ('"1986/0154321Y"', '"1986/0154321Z"', "/data/person/identifiers/pnc_id", "check letter"),
        ('"LS6"', '"LS6 1AA"', "/data/person/postcode_outward", "outward half"),
        ('"family": "Example"', '"family": "Exa\\u202emple"', "/data/person/name/family", "direction overrides"),
        ('"family": "Example"', '"family": "Exa\\u0007mple"', "/data/person/name/family", "control characters"),
        ('"family": "Example"', '"family": "   "', "/data/person/name/family", "one line of text"),
        ('"Called by', '"\\u0008Called by', "/data/narrative", "control characters"),
        ('"injury": "yes"', '"Did he hurt you?": "yes"', "/data/risk/answers/?", "the name here must be one of"),
        ('"northshire-police"', '"northshire.police"', "/source", "hyphens"),
        ('"NS-2025-0031877"', '"NS 2025"', "/id", "without spaces"),
        ('"specversion": "1.0"', '"specversion": "0.3"', "/specversion", "must be '1.0'"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(old: str, new: str, place: str, message: str) -> None:
    changed = GOOD.decode().replace(old, new, 1)
    assert changed != GOOD.decode()
    problems = problems_with(changed.encode())
    assert place in problems
    assert message in problems[place]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    changed = GOOD.replace(b'"behaviours"', b'"behaviour"').replace(b'"ticks": 12', b'"ticks": "12"')
    assert set(problems_with(changed)) == {"/data/incident/behaviour", "/data/risk/ticks"}


@pytest.mark.parametrize("value", [CANARY, [CANARY], {CANARY: 1}, {"Qanary": CANARY}, 44714471447144714471, True])
def test_no_problem_repeats_what_a_message_holds(value: object) -> None:
    whole = json.loads(GOOD)
    refused = 0
    for at in list(places(whole)):
        error = refusal(with_value(whole, at, value))
        if error is not None:
            refused += 1
            told = "".join(traceback.format_exception(error)) + repr(error.problems)
            assert CANARY not in told, at
            assert "44714471447144714471" not in told, at
            assert error.__context__ is None, at
    assert refused > 40


def test_a_key_that_is_no_field_is_shown_only_when_it_looks_like_one() -> None:
    whole = json.loads(GOOD)
    assert "/data/?" in problems_with(with_value(whole, ("data", CANARY), 1))
    assert "/data/narative" in problems_with(with_value(whole, ("data", "narative"), "x"))
    twice = f'{{"{CANARY}": {{"kind": 1, "kind": 2}}}}'.encode()
    assert set(problems_with(twice)) == {"/?"}


def test_a_name_used_as_a_key_is_told_to_its_sender_and_stands_in_no_error_text() -> None:
    error = refusal(with_value(json.loads(GOOD), ("data", "person", "Zebedee"), 1))
    assert error is not None
    assert [problem.place for problem in error.problems] == ["/data/person/Zebedee"]
    assert [problem.for_others().place for problem in error.problems] == ["/data/person/?"]
    assert str(error).startswith("/data/person/?: ")
    assert "Zebedee" not in "".join(traceback.format_exception(error))
    assert without_names("/data/agencies_notified/3") == "/data/agencies_notified/3"


def test_a_great_many_mistakes_are_told_shortly() -> None:
    whole = json.loads(GOOD)
    some = problems_with(with_value(whole, ("data", "agencies_notified"), [1] * 80))
    assert len(some) == 51
    assert some[""] == "and 30 more"
    assert problems_with(with_value(whole, ("data", "agencies_notified"), [1] * 50_000)) == {
        "": "more than 1000 things are wrong"
    }


mutations = st.lists(
    st.tuples(st.integers(0, len(GOOD)), st.integers(0, 40), st.binary(max_size=8)), min_size=1, max_size=3
)


@given(mutations)
@settings(max_examples=400)
def test_a_damaged_referral_is_read_or_unreadable_and_nothing_else(damage: list[tuple[int, int, bytes]]) -> None:
    raw = GOOD
    for start, length, inserted in damage:
        raw = raw[:start] + inserted + raw[start + length :]
    error = refusal(raw)
    assert error is None or error.problems


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(list(EventType)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)
PLACES = list(places(json.loads(GOOD)))


@given(at=st.sampled_from(PLACES), value=json_values)
@settings(max_examples=150)  # each in every channel; to make one up takes longer than to read it
def test_any_json_at_any_place_is_read_or_unreadable_and_nothing_else(at: Place, value: object) -> None:
    raw = with_value(json.loads(GOOD), at, value)
    for channel in Channel:
        with contextlib.suppress(Unreadable):
            read_submission(raw, channel)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable_and_nothing_else(raw: bytes) -> None:
    for reader in (lambda: read_accepted(raw, Channel.RISK), lambda: read_submission(raw, Channel.RISK)):
        with pytest.raises(Unreadable):
            reader()


def test_intake_refuses_a_field_that_it_does_not_know_and_an_inner_reader_tolerates_it() -> None:
    raw = with_value(json.loads(GOOD), ("data", "person", "shoe_size"), 44)
    assert problems_with(raw) == {"/data/person/shoe_size": "no field of that name"}
    assert read(raw, REFERRAL, extra="ignore") == read(GOOD, REFERRAL, extra="forbid")


def test_a_type_of_another_channel_is_refused_together_with_what_else_is_wrong() -> None:
    raw = GOOD.replace(b"onward.referral.submitted.v1", b"onward.risk.reported.v1")
    with pytest.raises(Unreadable) as refused:
        read_submission(raw.replace(b'"ticks": 12', b'"ticks": "12"'), Channel.REFERRAL)
    assert [problem.place for problem in refused.value.problems][:2] == ["/type", "/data/risk/ticks"]
    with pytest.raises(Unreadable):
        read_submission(GOOD, Channel.RISK)


def test_a_type_that_is_not_that_of_the_data_is_refused() -> None:
    raw = GOOD.replace(b'"type": "onward.referral.submitted.v1"', b'"type": "onward.risk.reported.v1"')
    assert "this data is of type onward.referral.submitted.v1" in problems_with(raw).values()


def test_the_digest_is_the_same_in_every_process() -> None:
    program = (
        "import sys; from schemas.reading import *; from schemas.registry import *;"
        "print(digest_of(said_by(read_submission(sys.stdin.buffer.read(), Channel.REFERRAL))))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            input=GOOD,
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


def test_the_digest_depends_on_what_is_said_and_not_on_how_it_is_written() -> None:
    good = read(GOOD, REFERRAL, extra="forbid")
    whole = json.loads(GOOD)
    backwards = {key: whole[key] for key in reversed(whole)}
    backwards["data"] = {**backwards["data"], "engagement": None}  # not stated, in so many words
    backwards["data"]["incident"]["behaviours"].reverse()
    backwards["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    written_otherwise = json.dumps(backwards, indent=4).replace("1986/0154321Y", "86/154321y").encode()
    assert digest_of(said_by(read(written_otherwise, REFERRAL, extra="forbid"))) == digest_of(said_by(good))


def test_the_digest_changes_with_every_value() -> None:
    whole = json.loads(GOOD)
    digests = {digest_of(said_by(read(GOOD, REFERRAL, extra="forbid")))}
    changes = 0
    for at in PLACES[1:]:
        changed = copy.deepcopy(whole)
        parent: Any = changed
        for token in at[:-1]:
            parent = parent[token]
        del parent[at[-1]]
        try:
            digests.add(digest_of(said_by(read(json.dumps(changed).encode(), REFERRAL, extra="forbid"))))
        except Unreadable:
            continue
        changes += 1
    same_when_left_out = 2  # specversion and datacontenttype have one value each
    assert changes > 50
    assert len(digests) == 1 + changes - same_when_left_out


def test_canonical_bytes_are_sorted_and_leave_out_what_is_not_stated() -> None:
    risk = RiskReported.model_validate_json(
        '{"kind": "relapse", "occurred_at": "2026-01-31T09:00:00+01:00", "substances": ["cocaine", "alcohol"],'
        ' "about": {"leg_id": "01938f00-0000-7000-8000-00000000da99"}}'
    )
    assert canonical(risk) == (
        b'{"about":{"leg_id":"01938f00-0000-7000-8000-00000000da99"},"kind":"relapse",'
        b'"occurred_at":"2026-01-31T09:00:00+01:00","substances":["alcohol","cocaine"]}'
    )
    assert read(canonical(risk), RiskReported, extra="forbid") == risk
