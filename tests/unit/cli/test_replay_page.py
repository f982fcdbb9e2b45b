"""The page of a replay needs nothing from outside, runs no script but its own, and says what was found."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from services.cli.replay_page.page import page

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
EVIL = "</script><script>alert(1)</script>"


def _found(**others: Any) -> dict[str, Any]:
    turned = {
        "before": ["route to dapp, priority 2, due in 2 working days"],
        "after": [EVIL],
        "rules": [{"rule": EVIL, "before": "held", "after": "did not hold", "asks_otherwise": False}],
    }
    return {
        "candidate": "sha256:after",
        "against": "sha256:before",
        "decisions": 12,
        "from": "2026-03-02",
        "until": "2026-03-12",
        "changed": 1,
        "persons": 1,
        "decided_by": [],
        "changes": [{**turned, "decisions": 1, "examples": ["e1"]}],
        "cases": [{**turned, "person_id": "p1", "event_id": "e1", "decision_id": "d1", "decided_at": "2026-03-02"}],
        "rules": [{"rule": EVIL, "held_before": 1, "held_after": None, "unknown_before": 0, "unknown_after": None}],
        "workload": {
            "weeks": ["2026-03-02", "2026-03-09"],
            "destinations": {
                "dapp": {"before": [3, 4], "after": [3, 3]},
                "people here": {"before": [0, 1], "after": [0, 1]},
            },
        },
        "not_known_then": [{"fact": "other_needs", "decisions": 3}],
        "windows": [{"fact": "relapses_28d", "decisions": 12, "otherwise_than_kept": 2}],
        **others,
    }


THRESHOLD = {
    "fact": "age",
    "word": "at least",
    "bound": 18,
    "at": "rules/referral.yaml:11:10",
    "rules": ["referral-dapp"],
    "steps": [
        {"bound": 18, "changed": 1, "persons": 1, "held": 2, "work": {}},
        {"bound": 19, "changed": 4, "persons": 3, "held": 1, "work": {"dapp": [1, 1]}},
    ],
}


class _Read(HTMLParser):
    """The elements of a page, the texts of its scripts and styles, and whatever would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside: list[str] = []
        self.texts: dict[str, str] = {}
        self.fetched: list[str] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inside.append(f"{tag}:{given.get('type', '')}")
        self.fetched += [str(given[name]) for name in ("src", "href", "action", "style", "onclick") if name in given]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(given["content"])

    def handle_endtag(self, tag: str) -> None:
        self.inside.append("")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[self.inside[-1]] = self.texts.get(self.inside[-1], "") + data


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_it_needs_nothing_from_outside_and_runs_no_script_but_its_own() -> None:
    text = page(_found(), [THRESHOLD], NOW)
    read = _Read(text)
    assert read.fetched == []
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", text)
    script, style = read.texts["script:"], read.texts["style:"]
    assert f"script-src {_hash(script)}" in read.policy
    assert f"style-src {_hash(style)}" in read.policy
    assert "default-src 'none'" in read.policy


def test_what_somebody_wrote_is_no_markup_and_no_script() -> None:
    text = page(_found(), [{**THRESHOLD, "rules": [EVIL]}], NOW)
    assert "<script>alert" not in text
    assert text.count("</script>") == 2
    data = _Read(text).texts["script:application/json"]
    assert json.loads(data)["thresholds"][0]["rules"] == [EVIL]


def test_it_says_what_changes_and_what_is_not_known() -> None:
    text = page(_found(), [], NOW)
    for words in ("route to dapp", "p1", "3 records hold nothing that other_needs", "counted anew", "4 → 3"):
        assert words in text
    assert "Nothing changes." in page(_found(changes=[], cases=[], changed=0), [], NOW)
