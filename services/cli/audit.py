"""onward audit: prove the log, read it, hand on parts of it, run it, and watch somebody else's."""

from __future__ import annotations

from services.cli.later import Later, group_of

_KEY = "--key onward/audit+1a2b3c4d+AZ..."

# Its name, where it is, what help says of it, and an example; in the order of the help.
COMMANDS = (
    Later(
        "verify",
        "audit_verify:verify",
        "Verify every entry against the log's signed checkpoint. Exits 1 and names what is wrong, where something is.",
        f"onward audit verify https://log.example.org {_KEY} --remember seen.txt",
    ),
    Later(
        "show",
        "audit_read:show",
        "Show an entry as the log has it, verified. Of this system's own log, that you looked is kept in it.",
        "onward audit show 1201",
    ),
    Later(
        "prove",
        "audit_read:prove",
        "Write one entry with its proof to a file that verifies alone: onward audit verify FILE.",
        "onward audit prove 1201 --out entry-1201.tlog-proof",
    ),
    Later(
        "export",
        "audit_read:export",
        "Write a part of the log to a file that verifies alone, wherever it begins and ends: onward audit verify FILE.",
        "onward audit export --since 2026-11-01 --until 2026-12-01 --out november.ndjson",
    ),
    Later(
        "tail",
        "audit_tail:tail",
        "Print audit entries from the queue in the order in which they came: each line once at least, never none.",
        "onward audit tail --follow --durable regulator",
    ),
    Later(
        "witness",
        "audit_witness:witness",
        "Cosign a log's checkpoints (C2SP tlog-witness), and refuse whatever did not grow out of what was signed "
        "before.",
        "onward audit witness --state seen.json --key witness.key --name w.example.org --log VKEY",
    ),
    Later(
        "serve",
        "audit_serve:serve",
        "Give out the log that the audit service publishes, for anybody to verify. Ctrl-C ends it.",
        "onward audit serve --port 8376",
    ),
    Later(
        "keys",
        "audit_keys:app",
        "The key that signs the log: see it, and put another in its place.",
    ),
    Later(
        "restore",
        "audit_restore:restore",
        "Put back the entries that are published and signed and that the store, an old copy, lacks. Stop audit first.",
        "onward audit restore",
    ),
    Later(
        "reconcile",
        "audit_reconcile:reconcile",
        "Look for acts without an audit entry, and for entries without their act, in the whole store.",
        "onward audit reconcile --json",
    ),
    Later(
        "report",
        "audit_report:report",
        "Tell who consulted whose data, and to whom what was disclosed: which fields, why, on which lawful basis.",
        "onward audit report 1986/0154321Y --since 2026-11-01 --html report.html",
    ),
)
app = group_of(COMMANDS)
