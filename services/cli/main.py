"""The command `onward`."""

from __future__ import annotations

from services.cli.later import Later, group_of

# Its name, where it is, what help says of it, and an example; in the order of the help.
COMMANDS = (
    Later(
        "up",
        "run:up",
        "Run every service in this terminal until Ctrl-C, on its own broker and store unless settings name others.",
        "onward up",
    ),
    Later(
        "run",
        "run:run_service",
        "Run one service alone. The schema, the streams and the broker must be there: see `onward migrate`.",
        "ONWARD_NATS_URL=nats://127.0.0.1:4222 onward run router",
    ),
    Later(
        "migrate",
        "run:migrate_command",
        "Bring the database schema, the streams and the consumers to what this version needs. Safe to repeat.",
        "onward migrate",
    ),
    Later(
        "health",
        "health:health",
        "Ask a service's own process whether it can do its work now. Exits 0 when it says yes, 1 otherwise.",
        "onward health router",
    ),
    Later(
        "send",
        "send:send",
        "Check a message as intake will, publish it, and show what became of it.",
        "onward send schemas/examples/referral-assault-on-partner.json --source northshire-police",
    ),
    Later(
        "status",
        "status:status",
        "Show each service, what waits and since when. Exits 1 when somebody should look.",
        "onward status --json",
    ),
    Later(
        "trace",
        "trace:trace",
        "Show the way of one event as a tree. That you looked is kept in the audit log.",
        "onward trace NS-2025-0031877",
    ),
    Later(
        "case",
        "case:case",
        "Draw a person's legs over time, with what happened and what is due. That you looked is kept in the audit log.",
        "onward case 1986/0154321Y --html case.html",
    ),
    Later(
        "quarantine",
        "quarantine:app",
        "What could not be taken: see it, mend it, send it again.",
    ),
    Later(
        "work",
        "work:app",
        "What waits for a human: see it, answer it, put it off, decide.",
    ),
    Later(
        "person",
        "person:app",
        "What is held of one person and for how long: see it, hold it, erase it.",
    ),
    Later(
        "rules",
        "rules:app",
        "Look at a rule set before it runs, and at what it decided.",
    ),
    Later(
        "audit",
        "audit:app",
        "Prove the audit log, read it, hand on parts of it, watch another's.",
    ),
    Later(
        "demo",
        "demo:demo",
        "Play one man's case through the real queue, on a clock that jumps weeks, and show what became of it.",
        "onward demo",
    ),
    Later(
        "config",
        "config:config",
        "Show every setting with its value and where it came from. Secrets stay hidden.",
        "onward config",
    ),
)
app = group_of(
    COMMANDS,
    name="onward",
    help=(
        "Route referrals and risk events about people who cause harm to the services that can help.\n\n"
        "Exit codes: 0 done, 1 somebody should look (a refused message, an unhealthy system), 2 nothing was done "
        "because the settings, a file or an argument is wrong, 3 it is kept and not known yet what "
        "becomes of it (onward work)."
    ),
)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
