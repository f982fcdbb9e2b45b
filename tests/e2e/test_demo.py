"""`onward demo` tells the case, and its story is checked as it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ONWARD = Path(sys.executable).parent / "onward"


def test_the_demo_plays_the_whole_case_and_every_step_holds(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ONWARD_")}
    done = subprocess.run(
        [ONWARD, "demo", "--json"], capture_output=True, cwd=tmp_path, env=clean, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert told["missed"] == []
    first = {sent["destination"] for sent in told["steps"][0]["sent"]}
    assert {"dapp", "addiction_service", "mental_health_team", "victim_safety"} <= first
    assert set(told["audited"]) == {"collect", "alter", "disclose"}
    assert told["outcomes"] > 0, "the police hear what became of their referral"
    assert told["audited"]["disclose"] == sum(len(step["sent"]) for step in told["steps"]) + told["outcomes"]
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
