"""A drawing as plain shapes with places: what a layout makes and a renderer writes down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from services.cli.picture.model import MarkKind
from services.cli.picture.placing import width_of
from services.cli.picture.words import Family

Tone = Literal["ink", "muted", "alert", "other", "inverse", "asked", "waiting", "active", "paused", "closed"]
Anchor = Literal["start", "middle", "end"]


class Box(NamedTuple):
    """A rectangle by its edges."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two share more than an edge."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text; `y` is its base line."""

    x: float
    y: float
    text: str
    size: float
    anchor: Anchor = "start"
    tone: Tone = "ink"
    bold: bool = False
    halo: bool = False  # it stands on lines, which make room for it

    @property
    def box(self) -> Box:
        """The room that it takes at most."""
        width = width_of(self.text, self.size, bold=self.bold)
        left = self.x - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        return Box(left, self.y - self.size * 0.8, left + width, self.y + self.size * 0.22)


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a lane."""

    x: float
    y: float
    width: float
    height: float
    family: Family
    ahead: bool
    title: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """A small mark; `x` and `y` are its middle."""

    x: float
    y: float
    kind: MarkKind
    title: str
    size: float = 1.0  # smaller where many stand close together


@dataclass(frozen=True, slots=True)
class Pill:
    """A numbered mark, or several neighbours as one: `numbers` has them all."""

    x: float  # its middle
    y: float
    width: float
    height: float
    text: str
    numbers: tuple[int, ...]
    look: Literal["event", "open", "late", "answered"]
    title: str

    @property
    def box(self) -> Box:
        """The room that it takes."""
        half = self.width / 2
        return Box(self.x - half, self.y - self.height / 2, self.x + half, self.y + self.height / 2)


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    look: Literal["grid", "axis", "now", "lane", "other"]


@dataclass(frozen=True, slots=True)
class Panel:
    """A filled rectangle behind other things."""

    x: float
    y: float
    width: float
    height: float
    look: Literal["future", "alert", "plate"]


Shape: TypeAlias = Words | Bar | Stamp | Pill | Line | Panel


@dataclass(frozen=True, slots=True)
class Group:
    """Shapes that are one thing: a lane with its leg's id, the events, the questions, the legend."""

    kind: str
    shapes: tuple[Shape, ...]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole drawing."""

    width: float
    height: float
    groups: tuple[Group, ...]

    def shapes(self, kind: str | None = None) -> Iterator[Shape]:
        """All shapes, or those of one kind of group."""
        for group in self.groups:
            if kind is None or group.kind == kind:
                yield from group.shapes


@dataclass(frozen=True, slots=True)
class Form:
    """A sheet to draw on."""

    name: str
    width: float
    margin: float
    gutter: float  # for the lanes' labels; 0: they stand above their lanes
    size: float  # of the letters
    columns: int  # of the legend

    @property
    def room(self) -> float:
        """From margin to margin."""
        return self.width - 2 * self.margin


SHEET = Form("sheet", 1200, 20, 272, 13, 2)
WIDE = Form("wide", 1200, 2, 272, 13, 2)
NARROW = Form("narrow", 320, 2, 0, 13, 1)


@dataclass
class Page:
    """A sheet that is filled from the top."""

    form: Form
    y: float = 0.0
    groups: list[Group] = field(default_factory=list)

    def add(self, kind: str, shapes: list[Shape], id_: str = "") -> None:
        """Put these shapes on it."""
        self.groups.append(Group(kind, tuple(shapes), id_))

    def scene(self) -> Scene:
        """What is on it."""
        return Scene(self.form.width, self.y + self.form.margin, tuple(self.groups))
