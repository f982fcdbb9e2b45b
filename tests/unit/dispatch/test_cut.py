"""What leaves for a destination is what its list names, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from services.dispatch.cut import cut

NAMES = st.sampled_from(["a", "b", "c"])
CONTENT: st.SearchStrategy[dict[str, JsonValue]] = st.dictionaries(
    NAMES, st.recursive(st.integers() | st.text(max_size=3), lambda below: st.dictionaries(NAMES, below, max_size=3))
)
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=3).map(".".join), unique=True, max_size=6)


def test_a_path_covers_what_is_below_it_and_nothing_beside_it() -> None:
    content: dict[str, JsonValue] = {"person": {"name": {"given": "A"}, "phone": "1"}, "victim": {"name": "B"}}
    fields, names = cut(content, ["person.name"])
    assert fields == {"person": {"name": {"given": "A"}}}
    assert names == ["person.name"]


def test_a_field_that_is_not_there_is_not_listed_as_disclosed() -> None:
    assert cut({"kind": "relapse"}, ["kind", "note"]) == ({"kind": "relapse"}, ["kind"])


def test_a_path_through_something_that_has_no_fields_discloses_nothing() -> None:
    assert cut({"note": "text"}, ["note.inner"]) == ({}, [])


def test_an_empty_list_discloses_nothing() -> None:
    assert cut({"person": {"name": "A"}}, []) == ({}, [])


@given(CONTENT, PATHS)
def test_every_leaf_that_leaves_is_covered_by_a_listed_path(content: dict[str, JsonValue], share: list[str]) -> None:
    fields, names = cut(content, share)
    assert set(names) <= set(share)
    for path, value in _leaves(fields):
        assert any(path == name or path.startswith(f"{name}.") for name in names)
        assert value == _at(content, path)


@given(CONTENT, PATHS)
def test_every_listed_field_that_is_there_leaves(content: dict[str, JsonValue], share: list[str]) -> None:
    fields, names = cut(content, share)
    for path in share:
        found = _at(content, path)
        assert (path in names) == (found is not None)
        if found is not None:
            assert _at(fields, path) == found


def _leaves(value: JsonValue, path: str = "") -> list[tuple[str, JsonValue]]:
    if isinstance(value, dict) and (value or not path):
        return [leaf for name, below in value.items() for leaf in _leaves(below, f"{path}.{name}" if path else name)]
    return [(path, value)]


def _at(content: JsonValue, path: str) -> JsonValue:
    value = content
    for step in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value
