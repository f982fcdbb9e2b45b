"""onward audit: prove the audit log, read it, hand on parts of it, and watch somebody else's."""

from __future__ import annotations

import typer

from services.cli import audit_keys, audit_read, audit_serve, audit_tail, audit_verify, audit_witness

app = typer.Typer(no_args_is_help=True)
_KEY = "--key onward/audit+1a2b3c4d+AZ..."
app.command(epilog=f"Example: onward audit verify https://log.example.org {_KEY} --remember seen.txt")(
    audit_verify.verify
)
app.command(epilog="Example: onward audit show 1201")(audit_read.show)
app.command(epilog="Example: onward audit prove 1201 --out entry-1201.tlog-proof")(audit_read.prove)
app.command(epilog="Example: onward audit export --since 2026-11-01 --until 2026-12-01 --out november.ndjson")(
    audit_read.export
)
app.command(epilog="Example: onward audit tail --follow --durable regulator")(audit_tail.tail)
app.command(epilog="Example: onward audit witness --state seen.json --key witness.key --name w.example.org --log VKEY")(
    audit_witness.witness
)
app.command(epilog="Example: onward audit serve --port 8376")(audit_serve.serve)
app.add_typer(audit_keys.app, name="keys", help="The key that signs the log, and a new one in its place.")
