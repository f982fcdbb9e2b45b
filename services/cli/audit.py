"""onward audit: hold the log against what was done, and tell who looked at whom and what left to whom."""

from __future__ import annotations

import typer

from services.cli import audit_reconcile, audit_report

app = typer.Typer(no_args_is_help=True)
app.command(epilog="Example: onward audit reconcile --json")(audit_reconcile.reconcile)
app.command(epilog="Example: onward audit report 2003/0073319Z --since 2026-11-01 --html report.html")(
    audit_report.report
)
