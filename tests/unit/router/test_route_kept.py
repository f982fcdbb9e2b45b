"""A route that waits for a human's word is read back as it was kept."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from services.router.casework.reviews import WaitingRoute
from services.router.questions import review_of, route_to_keep
from services.router.rules.decision import Reason, RouteDecided
from services.router.rules.due import Due

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ROUTE = RouteDecided("dapp", 1, Due(working_days=2), "ordinary", "human", (Reason("rule", "He asked for it."),))
ROW = {
    "id": "r", "kind": "confirm_route", "question": "May it?", "role": "case_manager", "due_at": NOW, "event_id": "e",
    "decision_id": None, "leg_id": None, "fact": None, "destination": "dapp", "perhaps": None, "answers": None,
    "answered_at": None, "moved_at": None, "asked_at": NOW, "person_id": "p",
}  # fmt: skip


@pytest.mark.parametrize("hers", [False, True])
def test_a_waiting_route_is_read_back_with_whether_it_would_come_back_on_her(hers: bool) -> None:
    waiting = WaitingRoute(ROUTE, NOW, comes_back_on_her=hers, told_in=("e", "f"))
    kept = orjson.loads(orjson.dumps(route_to_keep(waiting)))
    assert review_of({**ROW, "route": kept}).waiting == waiting
