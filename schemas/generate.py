"""Writes the JSON Schemas (2020-12) of the published language: `python -m schemas.generate`, or `--check` in CI.

Each type has its data (`<type>.json`, named by the envelope's `dataschema`); what sources publish also has the whole
message (`<type>.message.json`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import orjson
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas.base import Payload
from schemas.registry import DATA, INTAKE

FOLDER = Path(__file__).parent / "json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Published(GenerateJsonSchema):
    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> JsonSchemaValue:
        # Said twice is the same as said once: readers accept it, so the schema does.
        found = super().frozenset_schema(schema)
        found.pop("uniqueItems", None)
        return found


def schemas() -> dict[str, bytes]:
    """The text of every schema file, by file name."""
    found = {f"{kind}.json": _schema(model, f"urn:onward:schema:{kind}") for kind, model in DATA.items()}
    for models in INTAKE.values():
        for kind, model in models.items():
            whole = _schema(model, f"urn:onward:schema:{kind}:message", stated_type=kind)
            found[f"{kind}.message.json"] = whole
    return found


def _schema(model: type[Payload], urn: str, *, stated_type: str | None = None) -> bytes:
    schema = model.model_json_schema(schema_generator=_Published)
    if stated_type is not None:
        schema["properties"]["type"] = {"const": stated_type, "title": "Type"}
        schema["$defs"].pop("EventType", None)
    whole = {"$schema": DIALECT, "$id": urn, **schema}
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def stale() -> list[str]:
    """The names of files that are missing, differ, or belong to no type."""
    wanted = schemas()
    present = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with `--check` name those that are stale."""
    parser = argparse.ArgumentParser(prog="python -m schemas.generate", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is stale")
    old = stale()
    if parser.parse_args(arguments).check:
        sys.stdout.writelines(f"stale: schemas/json/{name}\n" for name in old)
        return 1 if old else 0
    wanted = schemas()
    FOLDER.mkdir(exist_ok=True)
    for name in old:
        if name in wanted:
            (FOLDER / name).write_bytes(wanted[name])
        else:
            (FOLDER / name).unlink()
    sys.stdout.write(f"{len(old)} of {len(wanted)} schemas written\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
