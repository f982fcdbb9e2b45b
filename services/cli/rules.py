"""onward rules: look at a rule set before it runs, and at what it decided."""

from __future__ import annotations

import typer

from services.cli import (
    rules_check,
    rules_diff,
    rules_examples,
    rules_explain,
    rules_facts,
    rules_history,
    rules_replay,
    rules_versions,
)

app = typer.Typer(no_args_is_help=True)
app.command(epilog="Example: onward rules facts --json")(rules_facts.facts)
app.command(epilog="Example: onward rules schema .schemas rulesets/candidate")(rules_facts.schema)
app.command(epilog="Example: onward rules explain NS-2025-0031877 --why-not residential_rehab")(rules_explain.explain)
app.command(epilog="Example: onward rules replay rulesets/candidate --since 2026-01-01 --html change.html")(
    rules_replay.replay
)
app.command(name="test", epilog="Example: onward rules test rulesets/candidate --at-least 0.95")(rules_examples.run_all)
app.command(epilog="Example: onward rules check rulesets/candidate --save")(rules_check.check)
app.command(epilog="Example: onward rules diff rulesets/default rulesets/candidate")(rules_diff.diff)

_WHO = '--by a.khan --because "Two relapses in a month, not three"'
app.command(epilog=f"Example: onward rules activate rulesets/candidate {_WHO}")(rules_versions.activate)
app.command(epilog="Example: onward rules approve 3f9c --by j.lee --role safeguarding_lead")(rules_versions.approve)
app.command(epilog=f"Example: onward rules withdraw 3f9c {_WHO}")(rules_versions.withdraw)
app.command(epilog=f"Example: onward rules shadow 3f9c {_WHO}")(rules_versions.shadow)
app.command(epilog=f"Example: onward rules rollback {_WHO}")(rules_versions.rollback)
app.command(name="list", epilog="Example: onward rules list")(rules_history.list_versions)
app.command(epilog="Example: onward rules show 3f9c --into rulesets/as-it-was")(rules_history.show)
