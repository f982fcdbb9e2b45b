"""Dotted paths into the published payloads: checked against the models, then made into functions that read them."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Annotated, Literal, NewType, TypeAlias, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

Model: TypeAlias = type[BaseModel]
Read: TypeAlias = Callable[[BaseModel], object]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a path leads to: a type, and whether there can be many of it."""

    leaf: object
    many: bool = False
    keys: type[Enum] | None = None  # of a mapping from topics to answers

    def enumeration(self) -> type[Enum] | None:
        """The closed list that its values come from, if there is one."""
        return self.leaf if isinstance(self.leaf, type) and issubclass(self.leaf, Enum) else None

    def model(self) -> Model | None:
        """The model that lies below, if there is one."""
        return self.leaf if isinstance(self.leaf, type) and issubclass(self.leaf, BaseModel) else None


class NoSuchField(LookupError):
    """A step of a path is no field of the model that it is taken in."""

    def __init__(self, step: str, names: Sequence[str]) -> None:
        super().__init__(step)
        self.step = step
        self.names = tuple(names)


def shape_of(model: Model, path: str, *, through: Literal["fields", "properties too"] = "properties too") -> Shape:
    """What a path leads to. Raises `NoSuchField` at the first step that leads nowhere."""
    shape = Shape(model)
    for step in path.split("."):
        inner = shape.model()
        names = {} if inner is None else _fields(inner) if through == "fields" else _fields(inner) | _properties(inner)
        if step not in names:
            raise NoSuchField(step, tuple(names))
        found = _unwrapped(names[step])
        shape = Shape(found.leaf, many=shape.many or found.many, keys=found.keys)
    return shape


def reader(model: Model, path: str) -> Read:
    """A function that reads the path: None where nothing was stated, a list where there can be many."""
    if _is_straight(model, path):
        return attrgetter(path)
    steps = path.split(".")
    if len(steps) == 2 and not shape_of(model, steps[0]).many:
        return _of_part(attrgetter(steps[0]), attrgetter(steps[1]))
    return lambda payload: _through(payload, steps)


def _of_part(part_of: Read, field_of: Read) -> Read:
    """Reads a field of a part that need not be there: what most paths are."""

    def read(payload: BaseModel) -> object:
        part = part_of(payload)
        return field_of(part) if isinstance(part, BaseModel) else None

    return read


def _is_straight(model: Model, path: str) -> bool:
    """Is every step but the last always there, and single?"""
    inner: Model | None = model
    for step in path.split(".")[:-1]:
        hint = _fields(inner).get(step) if inner is not None else None
        inner = hint if isinstance(hint, type) and issubclass(hint, BaseModel) else None
    return inner is not None


def _through(at: object, steps: Sequence[str]) -> object:
    for place, step in enumerate(steps):
        if at is None:
            return None
        if isinstance(at, (tuple, list)):
            return _through_many(at, steps[place:]) if at else at
        at = getattr(at, step)
    return at


def _through_many(items: object, steps: Sequence[str]) -> object:
    """What is stated of each; None where the list itself is not, or where no item of it states anything."""
    if not isinstance(items, (tuple, list)):
        return None
    found = [value for item in items if (value := _through(item, steps)) is not None]
    return found if found or not items else None


@cache
def _fields(model: Model) -> dict[str, object]:
    hints = get_type_hints(model, include_extras=False)
    return {name: hints[name] for name in model.model_fields}


@cache
def _properties(model: Model) -> dict[str, object]:
    """What a model works out of its fields, such as the higher of two risk levels."""
    own = [(name, getattr(model, name, None)) for name in dir(model) if not name.startswith(("_", "model_"))]
    getters = {name: member.fget for name, member in own if isinstance(member, property) and member.fget is not None}
    return {name: get_type_hints(getter).get("return", object) for name, getter in getters.items()}


def _unwrapped(annotation: object) -> Shape:
    """The type below `| None`, annotations and collections."""
    while isinstance(annotation, NewType) or get_origin(annotation) is Annotated:
        annotation = annotation.__supertype__ if isinstance(annotation, NewType) else get_args(annotation)[0]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        kept = [argument for argument in arguments if argument is not type(None)]
        return _unwrapped(kept[0]) if len(kept) == 1 else Shape(annotation)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return Shape(_unwrapped(arguments[1]).leaf, many=True, keys=_unwrapped(arguments[0]).enumeration())
    if isinstance(origin, type) and issubclass(origin, (Sequence, AbstractSet)):
        return Shape(_unwrapped(arguments[0]).leaf, many=True)
    return Shape(annotation)
