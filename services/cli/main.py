"""The command `onward`."""

from __future__ import annotations

import typer

from services.cli import audit, case, config, demo, health, quarantine, rules, run, send, status, trace, work

app = typer.Typer(
    name="onward",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=(
        "Route referrals and risk events about people who cause harm to the services that can help.\n\n"
        "Exit codes: 0 done, 1 somebody should look (a refused message, an unhealthy system), 2 nothing was done "
        "because the settings, a file or an argument is wrong, 3 it is kept and not known yet what "
        "becomes of it (onward work)."
    ),
)
app.command(epilog="Example: onward up")(run.up)
app.command(name="run", epilog="Example: ONWARD_NATS_URL=nats://127.0.0.1:4222 onward run router")(run.run_service)
app.command(name="migrate", epilog="Example: onward migrate")(run.migrate_command)
app.command(epilog="Example: onward health router")(health.health)
app.command(epilog="Example: onward send schemas/examples/referral-assault-on-partner.json --source northshire-police")(
    send.send
)
app.command(epilog="Example: onward status --json")(status.status)
app.command(epilog="Example: onward trace NS-2025-0031877")(trace.trace)
app.command(epilog="Example: onward case 2003/0073319Z --html case.html")(case.case)
app.add_typer(quarantine.app, name="quarantine", help="What could not be taken: see it, mend it, send it again.")
app.add_typer(work.app, name="work", help="What waits for a human: see it, answer it, put it off, decide.")
app.add_typer(rules.app, name="rules", help="Look at a rule set before it runs, and at what it decided.")
app.add_typer(audit.app, name="audit", help="Who did what with whose data: hold it against what was done, tell of it.")
app.command(epilog="Example: onward demo")(demo.demo)
app.command(epilog="Example: onward config")(config.config)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
