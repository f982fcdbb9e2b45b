"""Where a disclosure needs a justification, a command without any reason does not leave."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from schemas.refusal import Unacceptable
from services.dispatch.handlers import DispatchHandler
from services.ground.microbatch import Delivery
from services.ground.settings import Settings

ID = "01a20955-0000-7000-8000-000000000001"


def _command(because: Sequence[dict[str, str]]) -> Delivery:
    data = {
        "command_id": ID,
        "decision_id": ID,
        "event_id": ID,
        "leg_id": ID,
        "person_id": ID,
        "destination": "dapp",
        "action": "refer",
        "priority": 2,
        "because": list(because),
        "rule_set": "sha256:" + "0" * 64,
        "sequence": 1,
        "share": ["reference"],
        "reports_as": "dapp-service",
        "content": {"reference": "R-1"},
    }
    envelope = {
        "specversion": "1.0",
        "id": ID,
        "source": "onward-router",
        "type": "onward.route.commanded.v1",
        "time": "2026-11-02T09:00:00Z",
        "datacontenttype": "application/json",
        "data": data,
    }
    return Delivery("dispatch.0.dapp", json.dumps(envelope).encode(), "", "DISPATCH", 1, 0)


def test_a_command_without_a_reason_is_refused_where_one_is_required_and_only_there() -> None:
    required = DispatchHandler(Settings(justification_required=frozenset({"disclose"})))
    usual = DispatchHandler(Settings())
    mute, reasoned = _command([]), _command([{"rule": "referral-dapp", "because": "Violence is referred."}])
    with pytest.raises(Unacceptable) as refused:
        required.read(mute)
    assert refused.value.reason == "no_justification"
    assert required.read(reasoned).body.destination == "dapp"
    assert usual.read(mute).body.destination == "dapp"
