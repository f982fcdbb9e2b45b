"""The files: they hold every fact, need nothing else, can be read without being seen, and no text becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from html.parser import HTMLParser
from itertools import repeat
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.picture import palette
from services.cli.picture.compose import compose
from services.cli.picture.html import STYLE, page
from services.cli.picture.markup import Markup, element
from services.cli.picture.model import Picture
from services.cli.picture.records import CaseRows
from services.cli.picture.scene import NARROW, WIDE
from services.cli.picture.sheet import chart_scene
from services.cli.picture.svg import drawing, standalone
from services.cli.picture.tables import tables_of
from tests.support.pictures import DIRECTORY, the_case, the_long_case

SVG = "{http://www.w3.org/2000/svg}"
CASES = {"the case": the_case, "the long case": the_long_case}
VOID = {"meta", "rect", "line", "path", "circle"}


class Page(HTMLParser):
    """A page as a browser reads it: elements with attributes, text, and whether each is closed where it should be."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(document)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID, f"<{tag}/> is no empty element to a browser"
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def draw(name: str) -> Picture:
    rows, now = CASES[name]()
    return compose(rows, DIRECTORY, now, "ops")


def parsed(picture: Picture) -> ElementTree.Element:
    return ElementTree.fromstring(standalone(picture))  # noqa: S314 - our own file


def numbers_in(root: ElementTree.Element, kind: str) -> list[int]:
    pills = root.findall(f"{SVG}g[@class='{kind}']/{SVG}g[@data-numbers]")
    return [int(number) for pill in pills for number in pill.attrib["data-numbers"].split()]


@pytest.mark.parametrize("name", CASES)
def test_the_svg_has_a_lane_for_each_leg_a_mark_for_each_event_and_says_what_it_is(name: str) -> None:
    picture = draw(name)
    root = parsed(picture)
    assert root.attrib["role"] == "img"
    title, desc = root.findall(f"{SVG}title")[0], root.findall(f"{SVG}desc")[0]
    assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], desc.attrib["id"]]
    assert all(lane.label in str(desc.text) and lane.status in str(desc.text) for lane in picture.lanes)
    lanes = root.findall(f"{SVG}g[@class='lane']")
    assert [lane.attrib["data-leg"] for lane in lanes] == [lane.leg_id for lane in picture.lanes]
    assert numbers_in(root, "events") == [event.number for event in picture.events]
    assert numbers_in(root, "questions") == [question.number for question in picture.questions]
    text = " ".join(root.itertext())
    for said in (picture.warning, *picture.summary[:1], "Due next", "What happened", "Now: "):
        assert str(said) in text
    for mark in root.iter(f"{SVG}g"):
        if mark.attrib.get("class", "").startswith(("mark", "bar", "pill")):
            assert mark.findtext(f"{SVG}title"), "every mark says what it is"


@pytest.mark.parametrize("name", CASES)
def test_the_page_says_in_tables_all_that_the_picture_shows(name: str) -> None:
    picture = draw(name)
    read = Page(page(picture))
    text = " ".join(read.text)
    for facts in tables_of(picture):
        for row in facts.rows:
            for cell in row:
                for line in [cell] if isinstance(cell, str) else cell:
                    assert line in text
    tables = {facts.id: len(facts.rows) for facts in tables_of(picture)}
    assert tables["events"] == len(picture.events)
    assert tables["legs"] == len(picture.lanes)
    assert {table["id"] for table in read.of("table")} == set(tables)


@pytest.mark.parametrize("name", CASES)
def test_the_page_can_be_read_without_being_seen(name: str) -> None:
    read = Page(page(draw(name)))
    assert read.of("html") == [{"lang": "en-GB"}]
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert set(levels) == {1, 2}, "no level is left out"
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in read.elements:
        for reference in (attributes.get("aria-labelledby") or "").split():
            assert reference in ids
    assert all(header.get("scope") in ("col", "row") for header in read.of("th"))
    assert all(table.get("aria-labelledby") for table in read.of("table"))
    for svg in read.of("svg"):
        assert svg["role"] == "img"
        assert svg["aria-labelledby"]
    assert any(meta.get("name") == "viewport" for meta in read.of("meta"))


@pytest.mark.parametrize("name", CASES)
def test_a_file_needs_nothing_from_outside_and_runs_nothing(name: str) -> None:
    picture = draw(name)
    read = Page(page(picture))
    [policy] = [m["content"] for m in read.of("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert str(policy).startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    for document in (page(picture), standalone(picture)):
        assert outside(document) == []
    assert "@page" in STYLE
    assert "@media print" in STYLE


def outside(document: str) -> list[str]:
    """What a document would fetch or run."""
    found = re.findall(r"<script|<link|<img|<iframe|<object|<embed|<a\b|javascript:|@import|\son[a-z]+=", document)
    found += [url for url in re.findall(r"url\(([^)]*)\)", document) if not url.startswith("#")]
    found += re.findall(r"\s(?:src|href|xlink:href)=", document)
    return found + [url for url in re.findall(r"https?://[^\"'\s<]+", document) if url != "http://www.w3.org/2000/svg"]


def test_what_a_file_would_fetch_is_found() -> None:
    for planted in (
        '<img src="x"/>',
        "<style>@import 'x'</style>",
        "fill: url(http://h/x)",
        '<g onclick="x"/>',
        "http://h",
    ):
        assert outside(planted)


def _texts(value: Any, hostile: Iterator[str]) -> Any:
    """A record with every text in it, ids apart, followed by another hostile one."""
    keep = (
        "id",
        "leg_id",
        "event_id",
        "review_id",
        "status",
        "to_status",
        "from_status",
        "kind",
        "destination",
        "action",
    )
    if isinstance(value, tuple):
        return tuple(_texts(member, hostile) for member in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: _texts(getattr(value, f.name), hostile) for f in fields(value) if f.name not in keep}
        return replace(value, **changed)
    return value + next(hostile) if isinstance(value, str) else value


HOSTILE = st.one_of(
    st.sampled_from(
        (
            "<script>alert(1)</script>",
            "\"><svg onload='x'>",
            "]]>&amp;<!--",
            "</text></svg>",
            "\u202egnp.exe",
            "\u05e9\u05dc\u05d5\u05dd",
            "\x00\x0b\x1b[2J\ud800\uffff",
            "';--",
            "&#0;{{7*7}}",
        )
    ),
    st.text(max_size=30),
)


@given(HOSTILE)
@settings(max_examples=60)  # each in every text of the case
def test_no_text_becomes_markup_hides_or_steers(hostile: str) -> None:
    rows, now = the_case()
    assert isinstance(rows, CaseRows)
    dirty = compose(_texts(rows, repeat(hostile)), DIRECTORY, now, "ops")
    documents = standalone(dirty), page(dirty)
    for document in documents:
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\uffff]", document)
    assert _made_of(*documents) == _usual()


@cache
def _usual() -> tuple[set[str], ...]:
    rows, now = the_case()
    clean = compose(rows, DIRECTORY, now, "ops")
    return _made_of(standalone(clean), page(clean))


def _made_of(drawing: str, document: str) -> tuple[set[str], ...]:
    """Elements of the drawing; elements and attributes of the page."""
    root, read = ElementTree.fromstring(drawing), Page(document)  # noqa: S314 - our own file
    return (
        {re.sub("{.*}", "", node.tag) for node in root.iter()},
        {tag for tag, _ in read.elements},
        {name for _, attributes in read.elements for name in attributes},
    )


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_text_comes_out_of_the_builder_as_it_went_in_but_for_what_nobody_sees(attribute: str, content: str) -> None:
    node = ElementTree.fromstring(element("g", {"data-x": attribute}, content).text)  # noqa: S314 - our own
    seen = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff\ufffd\\s]")
    assert seen.sub("", node.text or "") == seen.sub("", content)
    assert seen.sub("", node.attrib["data-x"]) == seen.sub("", attribute)


def test_only_what_was_built_is_written_as_it_is() -> None:
    assert element("g", None, "<b>", Markup("<b/>")).text == "<g>&lt;b&gt;<b/></g>"


def test_two_drawings_in_one_document_share_no_id() -> None:
    picture = draw("the case")
    one, other = (drawing(chart_scene(picture, form), picture, form.name).text for form in (WIDE, NARROW))
    assert not set(re.findall(r'\sid="([^"]*)"', one)) & set(re.findall(r'\sid="([^"]*)"', other))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_words_can_be_read_on_what_they_stand_on() -> None:
    tones = dict(palette.TONES)
    inverse = tones.pop("inverse")
    for ink in tones.values():
        assert contrast(ink, palette.PAPER) >= 4.5
        assert contrast(ink, palette.FUTURE) >= 4.5
    assert contrast(inverse, palette.FILLS["active"]) >= 4.5
    assert contrast(inverse, palette.ALERT) >= 4.5
    for fill in ("asked", "waiting"):
        assert contrast(tones["ink"], palette.FILLS[fill]) >= 4.5
    for fill, _, ink in palette.PILLS.values():
        assert contrast(ink, fill) >= 4.5
    assert contrast("#777777", "#888888") < 4.5, "a bad pair would be found"


def test_statuses_differ_by_more_than_their_colour() -> None:
    bars = {}
    for bar in parsed(draw("the long case")).iter(f"{SVG}g"):
        kind = bar.attrib.get("class", "")
        if kind.startswith("bar "):
            shape = bar.findall(f"{SVG}rect")[0]
            bars[kind] = (
                shape.attrib.get("stroke-dasharray"),
                "url" in shape.attrib["fill"],
                shape.attrib["width"] == "3",
            )
    assert bars["bar paused"][1], "stripes"
    assert bars["bar asked"][0], "a dashed edge"
    assert set(bars) == {"bar asked", "bar waiting", "bar active", "bar paused", "bar closed"}
