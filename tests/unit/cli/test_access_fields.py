"""Every published field is decided on by name; what is not the person's own never goes through."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.envelope import EventType
from schemas.registry import DATA
from services.cli.access.fields import FIELDS, NOT_TAKEN, Treatment, treatment
from services.cli.access.redact import OF_ANOTHER, OF_STAFF, Policy, redacted

Shape = dict[str, Any]  # a field: None for a leaf, a Shape for a record, [Shape] for several records


def _inner(annotation: Any) -> Iterator[tuple[Any, bool]]:
    """The types that an annotation can be, and whether there are several of each."""
    if get_origin(annotation) in (Union, types.UnionType):
        for each in get_args(annotation):
            yield from _inner(each)
    elif get_origin(annotation) in (tuple, frozenset, list):
        yield from ((each, True) for part in get_args(annotation) for each, _ in _inner(part))
    elif hasattr(annotation, "__metadata__"):
        yield from _inner(annotation.__origin__)
    else:
        yield annotation, False


def shape_of(model: type[BaseModel]) -> Shape:
    found: Shape = {}
    for name, field in model.model_fields.items():
        below = [(each, many) for each, many in _inner(field.annotation) if isinstance(each, type)]
        records = [(shape_of(each), many) for each, many in below if issubclass(each, BaseModel)]
        found[name] = ([records[0][0]] if records[0][1] else records[0][0]) if records else None
    return found


def leaves_of(shape: Shape, at: str = "") -> Iterator[str]:
    for name, below in shape.items():
        record = below[0] if isinstance(below, list) else below
        yield from leaves_of(record, f"{at}{name}.") if record else [f"{at}{name}"]


def _decided(kind: EventType, path: str) -> bool:
    """Named itself; or below something that is held back as a whole."""
    named, steps = FIELDS[kind], path.split(".")
    above = [named.get(".".join(steps[:last])) for last in range(1, len(steps))]
    return path in named or any(each not in (None, Treatment.SHOWN) for each in above)


def test_every_type_is_taken_field_by_field_or_not_at_all() -> None:
    assert set(FIELDS) | NOT_TAKEN == set(EventType) == set(DATA)
    assert not set(FIELDS) & NOT_TAKEN


@pytest.mark.parametrize("kind", list(FIELDS))
def test_every_field_of_every_published_schema_is_allowed_or_held_back_by_name(kind: EventType) -> None:
    leaves = list(leaves_of(shape_of(DATA[kind])))
    assert len(leaves) > 4
    undecided = [path for path in leaves if not _decided(kind, path)]
    assert not undecided, "decide in services/cli/access/fields.py what the person concerned may see of these"
    stale = [p for p in FIELDS[kind] if not any(leaf == p or leaf.startswith(f"{p}.") for leaf in leaves)]
    assert not stale, "no schema has these any more"
    whole = [p for p, how in FIELDS[kind].items() if how is Treatment.SHOWN and p not in leaves]
    assert not whole, "a record is shown field by field, or a field added to it later would go through"


@pytest.mark.parametrize(
    "path",
    ["victim", "victim.name.given", "victim.safe_contact.detail", "children.name.family", "risk.answers.sexual",
     "incident.injuries", "agencies_notified", "referrer.name", "narrative", "a_field_of_tomorrow", "person"],
)  # fmt: skip
def test_what_is_about_others_or_unknown_is_not_shown(path: str) -> None:
    assert treatment(EventType.REFERRAL_SUBMITTED, path) is not Treatment.SHOWN


def _made_up(shape: Shape, at: str = "") -> st.SearchStrategy[Any]:
    """A message of this shape, any of its fields left out, in which every leaf is a canary that says its path."""

    def one(name: str, below: Any) -> st.SearchStrategy[Any]:
        path = f"{at}{name}"
        if below is None:
            return st.sampled_from([f"canary<{path}>", [f"canary<{path}>"], {"any": f"canary<{path}>"}])
        if isinstance(below, list):
            return st.lists(_made_up(below[0], f"{path}."), max_size=3)
        return _made_up(below, f"{path}.")

    return st.fixed_dictionaries({}, optional={name: one(name, below) for name, below in shape.items()})


@given(st.data(), st.sampled_from(sorted(FIELDS)))
def test_no_canary_of_others_goes_through_and_every_one_of_his_own_does(data: st.DataObject, kind: EventType) -> None:
    made = data.draw(_made_up(shape_of(DATA[kind])))
    written = json.dumps(redacted(kind, {**made, "of_tomorrow": "canary<of_tomorrow>"}, Policy()))
    said = json.dumps(made)
    assert "canary<of_tomorrow>" not in written
    for path in leaves_of(shape_of(DATA[kind])):
        shown = treatment(kind, path) is Treatment.SHOWN
        assert (f"canary<{path}>" in written) == (shown and f"canary<{path}>" in said), path


def test_each_opening_opens_its_own_and_nothing_else() -> None:
    kind = EventType.REFERRAL_SUBMITTED
    said: Any = {"narrative": "He said.", "referrer": {"name": "A. Officer"}, "victim": {"pregnant": "no"}}
    closed = {
        "narrative": "[withheld: may be about others; 8 characters]",
        "referrer": {"name": OF_STAFF},
        "victim": OF_ANOTHER,
    }
    assert redacted(kind, said, Policy()) == closed
    assert redacted(kind, said, Policy(narratives=True)) == {**closed, "narrative": "He said."}
    assert redacted(kind, said, Policy(staff=True)) == {**closed, "referrer": {"name": "A. Officer"}}
    assert redacted(kind, said, Policy(all_parties=True)) == said
