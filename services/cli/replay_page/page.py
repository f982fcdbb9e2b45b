"""The page itself: what a replay found in tables, and what would come of moved thresholds as data beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from services.cli.picture.document import document
from services.cli.picture.markup import Markup, element, together
from services.ground.clock import for_people

Found: TypeAlias = Mapping[str, Any]  # as `report.report_of` tells it

_HERE: Final = Path(__file__).parent
STYLE: Final = (_HERE / "page.css").read_text(encoding="utf-8")
SCRIPT: Final = (_HERE / "page.js").read_text(encoding="utf-8")


def page(found: Found, thresholds: Sequence[Found], now: datetime) -> str:
    """The whole document. `thresholds` are as `replaying.moved_thresholds` tells them."""
    return document("What a change of rules would have done", STYLE, _body(found, thresholds, now), script=SCRIPT)


def _body(found: Found, thresholds: Sequence[Found], now: datetime) -> Markup:
    data = {
        "changed": found["changed"],
        "persons": found["persons"],
        "work": found["workload"]["destinations"],
        "thresholds": thresholds,
    }
    in_script = orjson.dumps(data).decode().replace("<", "\\u003c")
    main = element(
        "main",
        None,
        element("h1", None, "What a change of rules would have done"),
        *_summary(found),
        _mover(thresholds),
        _counts(found),
        _charts(found),
        _weeks(found),
        _changes(found),
        _cases(found),
        _rules(found),
    )
    made = (
        f"Made {for_people(now)}, from decisions as they were kept. It holds ids and counts, nothing else of anybody."
    )
    return element(
        "body",
        None,
        main,
        element("footer", None, element("p", None, made)),
        element("script", {"type": "application/json", "id": "data"}, Markup(in_script)),
        element("script", None, Markup(SCRIPT)),
    )


def _summary(found: Found) -> list[Markup]:
    lines = [
        element(
            "p",
            None,
            f"{found['decisions']:,} decisions from {found['from']} to {found['until']}, each with the facts as they "
            "were then, by two rule sets.",
        ),
        element("p", {"class": "note id"}, f"before: {found['against']}"),
        element("p", {"class": "note id"}, f"after: {found['candidate']}"),
    ]
    for lacks in found["not_known_then"]:
        said = (
            f"{lacks['decisions']:,} records hold nothing that {lacks['fact']} could be read from: it is unknown there"
        )
        lines.append(element("p", {"class": "look"}, f"{said}, not no."))
    for window in found["windows"]:
        doubt = window["otherwise_than_kept"]
        more = (
            f" For {doubt:,} decisions the past is not as it was then: persons were joined or parted since."
            if doubt
            else ""
        )
        lines.append(element("p", {"class": "note"}, f"{window['fact']} was counted anew from what happened.{more}"))
    return lines


def _mover(thresholds: Sequence[Found]) -> Markup:
    """What moves a threshold. Without a script, and where there is none to move, it is not there."""
    options = [element("option", {"value": str(number)}, _named(each)) for number, each in enumerate(thresholds)]
    return element(
        "section",
        {"id": "mover", "hidden": "hidden", "aria-label": "Move a threshold"},
        element(
            "div",
            {"class": "row"},
            element("label", {"for": "which"}, "Move a threshold"),
            element("select", {"id": "which"}, *options),
            element("button", {"id": "back", "type": "button"}, "As in the candidate"),
        ),
        element("input", {"id": "place", "type": "range", "min": "0", "max": "0", "aria-labelledby": "bound"}),
        element(
            "div",
            {"class": "row"},
            element("strong", {"id": "bound", "role": "status"}),
            element("span", {"id": "at", "class": "at"}),
        ),
    )


def _named(threshold: Found) -> str:
    """A threshold as people choose it: the rules that it stands in, and the test."""
    rules = threshold["rules"]
    more = f" and {len(rules) - 2} more" if len(rules) > 2 else ""
    return f"{', '.join(rules[:2])}{more}: {threshold['fact']} {threshold['word']} {threshold['bound']}"


def _counts(found: Found) -> Markup:
    counts = (
        ("changed", "decisions come out otherwise", f"{found['changed']:,}"),
        ("persons", "persons whose case that is", f"{found['persons']:,}"),
        ("held", "times its rules hold", "-"),
    )
    cells = [
        element("div", None, element("dt", None, label), element("dd", {"id": id_}, value))
        for id_, label, value in counts
    ]
    return element("dl", {"class": "counts", "aria-live": "polite"}, *cells)


def _charts(found: Found) -> Markup:
    """One small picture a destination: bars before, a line after. The table below says the same."""
    work = found["workload"]["destinations"]
    figures = []
    for name, load in work.items():
        hidden = None if any(load["before"]) or any(load["after"]) else "hidden"
        figures.append(
            element(
                "figure",
                {"id": _chart_id(name), "hidden": hidden},
                element("h3", None, name),
                element("svg", {"viewBox": "0 0 100 40", "preserveAspectRatio": "none", "aria-hidden": "true"}),
                element(
                    "figcaption",
                    None,
                    element("span", {"class": "was"}, f"{sum(load['before']):,}"),
                    " before, ",
                    element("span", {"class": "is"}, f"{sum(load['after']):,}"),
                    " after",
                    element("span", {"class": "by"}),
                ),
            )
        )
    weeks = found["workload"]["weeks"]
    key = element(
        "p",
        {"class": "note"},
        element("span", {"class": "key"}, "before"),
        "  ",
        element("span", {"class": "key after"}, "after"),
        f", by week from {weeks[0]} to {weeks[-1]}; each picture has a scale of its own. What rules ask for "
        "is counted: where a leg is open already, none is opened.",
    )
    return element(
        "section",
        {"aria-labelledby": "work"},
        element("h2", {"id": "work"}, "Work for each destination"),
        key,
        element("div", {"class": "charts"}, *figures),
    )


def _chart_id(name: str) -> str:
    return f"chart-{name.replace(' ', '-')}"


def _weeks(found: Found) -> Markup:
    work, weeks = found["workload"]["destinations"], found["workload"]["weeks"]
    names = [name for name, load in work.items() if any(load["before"]) or any(load["after"])]
    head = [element("th", {"scope": "col", "class": "number"}, name) for name in names]
    rows = [
        element(
            "tr",
            None,
            element("th", {"scope": "row", "class": "number"}, week),
            *(_load(name, work[name], place) for name in names),
        )
        for place, week in reversed(list(enumerate(weeks)))
    ]
    table = _table("weeks", [element("th", {"scope": "col"}, "Week from"), *head], rows)
    return element("details", None, element("summary", None, "The same as a table, week by week"), table)


def _load(name: str, load: Found, place: int) -> Markup:
    before, after = load["before"][place], load["after"][place]
    turned = before != after
    look = "number turned" if turned else "number"
    said = f"{before:,} → {after:,}" if turned else f"{after:,}"
    return element("td", {"class": look, "data-of": name, "data-week": str(place)}, said)


def _changes(found: Found) -> Markup:
    rows = [
        element(
            "tr",
            None,
            element("td", {"class": "number"}, f"{change['decisions']:,}"),
            element("td", None, _turn(change)),
            element("td", None, _by(change)),
            element("td", {"class": "id"}, ", ".join(change["examples"])),
        )
        for change in found["changes"]
    ]
    heads = [
        element("th", {"scope": "col"}, head) for head in ("Times", "What changes", "By which rules", "Such as event")
    ]
    return _section("changes", "What changes, as the candidate is written", _table("changes", heads, rows), rows)


def _cases(found: Found) -> Markup:
    rows = [
        element(
            "tr",
            None,
            element("td", {"class": "id"}, case["person_id"]),
            element("td", {"class": "id"}, case["event_id"]),
            element("td", None, _turn(case)),
            element("td", None, _by(case)),
        )
        for case in found["cases"]
    ]
    told = f"The newest {len(rows):,} of {found['changed']:,}" if len(rows) < found["changed"] else "All of them"
    heads = [element("th", {"scope": "col"}, head) for head in ("Person", "Event", "What changes", "By which rules")]
    table = element("details", None, element("summary", None, told), _table("cases", heads, rows))
    return _section("cases", "Whose cases change", table, rows)


def _turn(change: Found) -> Markup:
    less = (element("li", {"class": "less"}, line) for line in change["before"])
    more = (element("li", {"class": "more"}, line) for line in change["after"])
    return element("ul", None, *less, *more)


def _by(change: Found) -> Markup:
    rules = []
    for rule in change["rules"]:
        stood = rule["after"] if rule["before"] == rule["after"] else f"{rule['before']}, now {rule['after']}"
        rules.append(
            element("li", None, f"{rule['rule']} ({stood}{', asks otherwise' if rule['asks_otherwise'] else ''})")
        )
    return element("ul", None, *rules)


def _rules(found: Found) -> Markup:
    counts = ("held_before", "held_after", "unknown_before", "unknown_after")
    heads = [element("th", {"scope": "col"}, "Rule")]
    heads += [
        element("th", {"scope": "col", "class": "number"}, head)
        for head in ("held before", "after", "hung on something unknown before", "after")
    ]
    rows = [
        element(
            "tr",
            {
                "class": "turned"
                if any(rule[f"{k}_before"] != rule[f"{k}_after"] for k in ("held", "unknown"))
                else None
            },
            element("th", {"scope": "row"}, rule["rule"]),
            *(
                element("td", {"class": "number"}, "-" if rule[count] is None else f"{rule[count]:,}")
                for count in counts
            ),
        )
        for rule in found["rules"]
    ]
    return _section("rules", "How often each rule holds", _table("rules", heads, rows), rows)


def _section(id_: str, title: str, content: Markup, rows: Sequence[Markup]) -> Markup:
    heading = element("h2", {"id": id_}, title)
    nothing = element("p", None, "Nothing changes.")
    return element("section", {"aria-labelledby": id_}, heading, content if rows else nothing)


def _table(label: str, heads: Sequence[Markup], rows: Sequence[Markup]) -> Markup:
    table = element(
        "table",
        {"aria-label": label},
        element("thead", None, element("tr", None, *heads)),
        element("tbody", None, together(rows)),
    )
    return element("div", {"class": "scroll"}, table)
