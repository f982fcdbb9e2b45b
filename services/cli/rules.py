"""onward rules: look at a rule set before it runs, and at what it decided."""

from __future__ import annotations

import typer

from services.cli import rules_check, rules_examples, rules_explain, rules_facts

app = typer.Typer(no_args_is_help=True)
app.command(epilog="Example: onward rules facts --json")(rules_facts.facts)
app.command(epilog="Example: onward rules schema .schemas rulesets/candidate")(rules_facts.schema)
app.command(epilog="Example: onward rules explain NS-2025-0031877 --why-not residential_rehab")(rules_explain.explain)
app.command(name="test", epilog="Example: onward rules test rulesets/candidate --at-least 0.95")(rules_examples.run_all)
app.command(epilog="Example: onward rules check rulesets/candidate --save")(rules_check.check)
