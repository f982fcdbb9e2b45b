from __future__ import annotations

import contextlib
import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas import generate
from schemas.envelope import Channel
from schemas.reading import Unreadable
from schemas.registry import INTAKE, read_submission

EXAMPLES = sorted((generate.FOLDER.parent / "examples").glob("*.json"))
FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER


def validator(name: str) -> Any:
    schema = json.loads((generate.FOLDER / name).read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=FORMATS)


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def example(request: pytest.FixtureRequest) -> Path:
    """Each published example in turn."""
    path = request.param
    assert isinstance(path, Path)
    return path


@pytest.fixture
def channel(example: Path) -> Channel:
    """The channel of the example: the word before the first hyphen of its name."""
    return Channel(example.name.split("-")[0])


def test_the_committed_schemas_are_those_of_the_models() -> None:
    assert generate.stale() == [], "run: python -m schemas.generate"


def test_a_changed_a_missing_and_a_foreign_file_are_each_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    for name, text in generate.schemas().items():
        (tmp_path / name).write_bytes(text)
    (tmp_path / "onward.risk.reported.v1.json").write_bytes(b"{}")
    (tmp_path / "onward.audit.entered.v1.json").unlink()
    (tmp_path / "old.json").write_bytes(b"{}")
    wrong = ["old.json", "onward.audit.entered.v1.json", "onward.risk.reported.v1.json"]
    assert generate.stale() == wrong
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out == "".join(f"stale: schemas/json/{name}\n" for name in wrong)


def test_writing_mends_what_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    (tmp_path / "old.json").write_bytes(b"{}")
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert not (tmp_path / "old.json").exists()


def test_every_example_fits_its_model_and_its_published_schemas(example: Path, channel: Channel) -> None:
    raw = example.read_bytes()
    message = json.loads(raw)
    assert read_submission(raw, channel).type == message["type"]
    validator(f"{message['type']}.message.json").validate(message)
    data = validator(f"{message['type']}.json")
    data.validate(message["data"])
    assert data.schema["$id"] == message["dataschema"]


def test_every_type_that_sources_publish_has_an_example() -> None:
    shown = {json.loads(path.read_bytes())["type"] for path in EXAMPLES}
    assert shown == {kind for models in INTAKE.values() for kind in models}


def test_a_time_without_zone_is_refused_at_every_place_of_every_example(example: Path, channel: Channel) -> None:
    text = example.read_text()
    moments = list(re.finditer(r"(\d\d:\d\d:\d\d)Z", text))
    assert moments
    for moment in moments:
        naive = f"{text[: moment.start()]}{moment[1]}{text[moment.end() :]}"
        with pytest.raises(Unreadable, match="time zone"):
            read_submission(naive.encode(), channel)


def test_model_and_schema_refuse_the_same_unknown_field_missing_field_and_wrong_type(
    example: Path, channel: Channel
) -> None:
    message = json.loads(example.read_bytes())
    published = validator(f"{message['type']}.message.json")
    without = {name: value for name, value in message["data"].items() if name not in ("kind", "person")}
    wrong: list[object] = [
        {**message["data"], "unheard_of": 1},
        without,
        {**message["data"], "occurred_at": 5, "person": 5},
        [],
    ]
    for data in wrong:
        changed = {**message, "data": data}
        assert not published.is_valid(changed)
        with pytest.raises(Unreadable):
            read_submission(json.dumps(changed).encode(), channel)


def _places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*at, key)
        yield from _places(member, (*at, key))


@pytest.mark.parametrize(
    "value",
    [None, [], {}, 0, 1, True, "", "x", " x ", "yes", "2026-01-31", "2026-01-31T09:00:00.5+01:00", ["other", "other"]],
    ids=repr,
)
def test_the_published_schema_never_refuses_what_intake_takes(value: object, example: Path, channel: Channel) -> None:
    message = json.loads(example.read_bytes())
    published = validator(f"{message['type']}.message.json")
    for at in list(_places(message)):
        changed = copy.deepcopy(message)
        parent: Any = changed
        for token in at[:-1]:
            parent = parent[token]
        parent[at[-1]] = value
        with contextlib.suppress(Unreadable):
            read_submission(json.dumps(changed).encode(), channel)
            published.validate(changed)
