"""onward rules: look at a rule set before it runs, and at what it decided."""

from __future__ import annotations

from services.cli.later import Later, group_of

_WHO = '--by a.khan --because "Two relapses in a month, not three"'

# Its name, where it is, what help says of it, and an example; in the order of the help.
COMMANDS = (
    Later(
        "facts",
        "rules_facts:facts",
        "Print what rules can be written with: facts, terms, kinds of event, destinations, statuses, roles, actions.",
        "onward rules facts --json",
    ),
    Later(
        "schema",
        "rules_facts:schema",
        "Write JSON Schemas with which an editor completes and checks rule files: names of facts, their values, terms.",
        "onward rules schema .schemas rulesets/candidate",
    ),
    Later(
        "explain",
        "rules_explain:explain",
        "Explain a decision: the rules that held, each test with its value and its origin, what was not known.",
        "onward rules explain NS-2025-0031877 --why-not residential_rehab",
    ),
    Later(
        "replay",
        "rules_replay:replay",
        "Replay a rule set over everything that was decided, with the facts as they were then.",
        "onward rules replay rulesets/candidate --since 2026-01-01 --html change.html",
    ),
    Later(
        "test",
        "rules_examples:run_all",
        "Run the examples, and try small mistakes in every rule: which of them would an example notice?",
        "onward rules test rulesets/candidate --at-least 0.95",
    ),
    Later(
        "check",
        "rules_check:check",
        "Read a rule set as routers will, run its examples, and prove its promises of every event there can be.",
        "onward rules check rulesets/candidate --save",
    ),
    Later(
        "diff",
        "rules_diff:diff",
        "Tell what rule set B does otherwise than A, of all events there can be.",
        "onward rules diff rulesets/default rulesets/candidate",
    ),
    Later(
        "activate",
        "rules_versions:activate",
        "Put a rule set forward: it is checked, its plan is shown, and a second person approves it.",
        f"onward rules activate rulesets/candidate {_WHO}",
    ),
    Later(
        "approve",
        "rules_versions:approve",
        "Agree to a rule set that somebody else put forward. With enough approvals it is in force at once.",
        "onward rules approve 3f9c --by j.lee --role safeguarding_lead",
    ),
    Later(
        "withdraw",
        "rules_versions:withdraw",
        "Take back a rule set that was put forward and is not in force.",
        f"onward rules withdraw 3f9c {_WHO}",
    ),
    Later(
        "shadow",
        "rules_versions:shadow",
        "Try a version out that was put forward: routers decide by it too, do nothing of it, and keep what differs.",
        f"onward rules shadow 3f9c {_WHO}",
    ),
    Later(
        "rollback",
        "rules_versions:rollback",
        "Put a version in force again that was so before, at once: it was approved then.",
        f"onward rules rollback {_WHO}",
    ),
    Later(
        "list",
        "rules_history:list_versions",
        "List what was done with which version, and what each router decides by.",
        "onward rules list",
    ),
    Later(
        "show",
        "rules_history:show",
        "Show one version: its history, what its plan was, and with --into its files as they were put forward.",
        "onward rules show 3f9c --into rulesets/as-it-was",
    ),
)
app = group_of(COMMANDS)
