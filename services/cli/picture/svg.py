"""A scene as SVG: one file, nothing from outside, with a title and a description for whoever cannot see it."""

from __future__ import annotations

from typing import Final

from services.cli.picture import palette
from services.cli.picture.markup import Attributes, Markup, element, number, together
from services.cli.picture.model import MarkKind, Picture
from services.cli.picture.scene import Bar, Group, Line, Panel, Pill, Scene, Shape, Stamp, Words
from services.cli.picture.sheet import whole_scene
from services.cli.picture.words import Family

FONT: Final = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif"

_LINES: Final[dict[str, dict[str, str | float | None]]] = {
    "grid": {"stroke": "#d9dde3", "stroke-width": 1},
    "axis": {"stroke": "#4b5563", "stroke-width": 1},
    "lane": {"stroke": "#c3c8cf", "stroke-width": 1},
    "now": {"stroke": palette.TONES["alert"], "stroke-width": 2},
    "other": {"stroke": palette.TONES["other"], "stroke-width": 4},
}
_ROUND: Final = "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0Z"  # round their own middle
_SQUARE: Final = "M-4.5-4.5H4.5V4.5H-4.5Z"
_PANELS: Final = {"future": palette.FUTURE, "alert": palette.ALERT, "plate": palette.PAPER}


def standalone(picture: Picture) -> str:
    """The whole picture as a file of its own."""
    drawn = drawing(whole_scene(picture), picture, "case")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{drawn.text}\n'


def drawing(scene: Scene, picture: Picture, prefix: str) -> Markup:
    """A scene as an svg element. `prefix` keeps its ids apart from those of another one in the same document."""
    name = f"Case of person {picture.person_id} over time"
    size: Attributes = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {number(scene.width)} {number(scene.height)}",
        "width": scene.width,
        "height": scene.height,
        "role": "img",
        "lang": "en-GB",
        "aria-labelledby": f"{prefix}-title {prefix}-desc",
        "font-family": FONT,
    }
    return element(
        "svg",
        size,
        element("title", {"id": f"{prefix}-title"}, name),
        element("desc", {"id": f"{prefix}-desc"}, described(picture)),
        _patterns(prefix),
        element("rect", {"width": scene.width, "height": scene.height, "fill": palette.PAPER}),
        together(_group(group, prefix) for group in scene.groups),
    )


def described(picture: Picture) -> str:
    """The picture in words: how the case stands, and each leg."""
    legs = [f"{lane.label}: {lane.status}, {lane.detail}." for lane in picture.lanes]
    return " ".join([*([f"{picture.warning}."] if picture.warning else []), *picture.summary, *legs])


def _patterns(prefix: str) -> Markup:
    """Stripes, so that a pause is known without its colour."""
    line: Attributes = {"x1": 0, "y1": 0, "x2": 0, "y2": 8, "stroke": palette.HATCH, "stroke-width": 3}
    stripes = element(
        "pattern",
        {
            "id": f"{prefix}-hatch",
            "width": 8,
            "height": 8,
            "patternUnits": "userSpaceOnUse",
            "patternTransform": "rotate(45)",
        },
        element("rect", {"width": 8, "height": 8, "fill": palette.FILLS["paused"]}),
        element("line", line),
    )
    return element("defs", None, stripes)


def _group(group: Group, prefix: str) -> Markup:
    id_ = group.id or None
    return element("g", {"class": group.kind, "data-leg": id_}, together(_shape(s, prefix) for s in group.shapes))


def _shape(shape: Shape, prefix: str) -> Markup:
    match shape:
        case Words():
            return _words(shape)
        case Bar():
            return _bar(shape, prefix)
        case Stamp():
            return _stamp(shape)
        case Pill():
            return _pill(shape)
        case Line(x1, y1, x2, y2, look):
            return element("line", _LINES[look] | {"x1": x1, "y1": y1, "x2": x2, "y2": y2})
        case Panel(x, y, width, height, look):
            return element("rect", {"x": x, "y": y, "width": width, "height": height, "fill": _PANELS[look]})


def _words(words: Words) -> Markup:
    halo: Attributes = {}
    if words.halo:
        halo = {"paint-order": "stroke", "stroke": palette.PAPER, "stroke-width": 3, "stroke-linejoin": "round"}
    return element(
        "text",
        {
            "x": words.x,
            "y": words.y,
            "font-size": words.size,
            "font-weight": "700" if words.bold else None,
            "text-anchor": words.anchor if words.anchor != "start" else None,
            "fill": palette.TONES[words.tone],
            "unicode-bidi": "isolate",
            **halo,
        },
        words.text,
    )


def _bar(bar: Bar, prefix: str) -> Markup:
    """Five families, five colours, and five shapes: dashed edge, plain edge, solid, stripes, thin line with a cap."""
    box: dict[str, str | float | None] = {"x": bar.x, "y": bar.y, "width": bar.width, "height": bar.height, "rx": 2}
    look: dict[str, str | float | None]
    match bar.family:
        case Family.CLOSED:
            middle = bar.y + bar.height / 2
            cap = element("rect", {**box, "width": 3, "rx": None, "fill": palette.FILLS["closed"]})
            under = {"x1": bar.x, "x2": bar.x + bar.width, "y1": middle + bar.height / 2 - 1}
            line = element(
                "line",
                {**under, "y2": under["y1"], "stroke": palette.FILLS["closed"], "stroke-dasharray": "1 5"},
            )
            return _titled("bar closed", bar.title, cap, line)
        case Family.ASKED:
            look = {"fill": palette.FILLS["asked"], "stroke": palette.TONES["asked"], "stroke-dasharray": "4 3"}
        case Family.WAITING:
            look = {"fill": palette.FILLS["waiting"], "stroke": palette.TONES["waiting"]}
        case Family.ACTIVE:
            look = {"fill": palette.FILLS["active"], "stroke": palette.FILLS["active"]}
        case Family.PAUSED:
            look = {"fill": f"url(#{prefix}-hatch)", "stroke": palette.HATCH}
    if bar.ahead:
        look |= {"opacity": "0.35"}
    return _titled(f"bar {bar.family}", bar.title, element("rect", {**box, **look}))


def _stamp(stamp: Stamp) -> Markup:
    """A welfare check is round (due hollow, done filled, missed crossed), an offer square, what we told a triangle."""
    ink, muted, alert = palette.TONES["ink"], palette.TONES["muted"], palette.TONES["alert"]
    match stamp.kind:
        case MarkKind.CHECK_DUE:
            shapes = [_path(_ROUND, ink, palette.PAPER)]
        case MarkKind.CHECK_DONE:
            shapes = [_path(_ROUND, ink, ink)]
        case MarkKind.CHECK_MISSED:
            shapes = [_path(_ROUND, alert, palette.PAPER), _path("M-5-5L5 5M5-5L-5 5", alert)]
        case MarkKind.CHECK_OFF:
            shapes = [_path(_ROUND, muted, palette.PAPER), _path("M-4 0H4", muted)]
        case MarkKind.OFFER_OPEN:
            shapes = [_path(_SQUARE, palette.HATCH, palette.PAPER)]
        case MarkKind.OFFER_AGREED:
            shapes = [_path(_SQUARE, palette.HATCH, palette.HATCH)]
        case MarkKind.OFFER_DECLINED:
            shapes = [_path(_SQUARE, palette.HATCH, palette.PAPER), _path("M-4.5 4.5L4.5-4.5", palette.HATCH)]
        case MarkKind.SENT:
            shapes = [_path("M-4-3H4L0 4Z", muted, muted)]
    place = f"translate({number(stamp.x)} {number(stamp.y)})"
    size = f" scale({number(stamp.size)})" if stamp.size < 1 else ""
    moved = element("g", {"transform": place + size}, *shapes)
    return _titled(f"mark {stamp.kind}", stamp.title, moved)


def _path(d: str, edge: str, fill: str = "none") -> Markup:
    return element("path", {"d": d, "stroke": edge, "stroke-width": 1.5, "fill": fill})


def _pill(pill: Pill) -> Markup:
    fill, edge, ink = palette.PILLS[pill.look]
    box = pill.box
    plate = {"x": box.left, "y": box.top, "width": pill.width, "height": pill.height, "rx": pill.height / 2}
    text: Attributes = {
        "x": pill.x,
        "y": pill.y + 4,
        "font-size": 11,
        "font-weight": "700",
        "text-anchor": "middle",
        "fill": ink,
    }
    return element(
        "g",
        {"class": f"pill {pill.look}", "data-numbers": " ".join(map(str, pill.numbers))},
        element("title", None, pill.title),
        element("rect", {**plate, "fill": fill, "stroke": edge, "stroke-width": 1.5}),
        element("text", text, pill.text),
    )


def _titled(class_: str, title: str, *shapes: Markup) -> Markup:
    return element("g", {"class": class_}, element("title", None, title), *shapes)
