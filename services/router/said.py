"""What a decision said, as it is stored: JSON that is written without building a tree of it first."""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter

import orjson

from services.router.rules.decision import OUTCOME, Decision, Matched, plain


def said(decision: Decision) -> bytes:
    """What `Decision.to_json` says of the parts, written without first building it."""
    outcome = _outcome(*_parts(decision))
    rest = orjson.dumps({"questions": decision.questions, "unknown": decision.unknown}, default=_plain)
    matched = b",".join(map(_matched, decision.matched))
    return b'%b,"matched":[%b],%b' % (outcome[:-1], matched, rest[1:])


_parts = attrgetter(*OUTCOME)


@lru_cache(maxsize=1024)
def _outcome(*parts: object) -> bytes:
    """What is to be done, as JSON: the same few outcomes come again and again."""
    return orjson.dumps(dict(zip(OUTCOME, parts, strict=True)), default=_plain)


@lru_cache(maxsize=8192)
def _matched(matched: Matched) -> bytes:
    """A rule that was acted on, and why, as JSON: mostly it was so before."""
    return orjson.dumps({**matched._asdict(), "tests": [test._asdict() for test in matched.tests]}, default=plain)


def _plain(value: object) -> object:
    return value._asdict() if isinstance(value, tuple) and hasattr(value, "_asdict") else plain(value)
