"""What would have come of past events under other rules: for those who compare versions or put one forward."""

from __future__ import annotations

from typing import Final

from services.cli import terminal
from services.cli.consulting import Looker
from services.cli.looking import Row
from services.cli.rules_replay import looked_at
from services.ground.database import Database
from services.router.rules.ruleset import RuleSet

TOLD: Final = ("decisions", "from", "until", "changed", "persons", "changes", "cases")
CASES_MOST: Final = 100  # told one by one
SHOWN_MOST: Final = 10  # kinds of change, in a terminal


async def past_of(database: Database, who: Looker, before: RuleSet, after: RuleSet) -> Row | None:
    """How many decisions come out otherwise, how, and of whom; None where nothing was decided yet.

    That somebody looked at those cases is kept.
    """
    from services.cli.replaying import history_of, read_past  # no other command should wait for numpy
    from services.router.rules.replay.compare import Replay
    from services.router.rules.replay.report import report_of
    from services.router.rules.replay.workload import Workload

    with terminal.progress() as bar:
        task = bar.add_task("past events", total=None)
        read = await database.read(
            lambda c: read_past(c, None, lambda done, total: bar.update(task, completed=done, total=total))
        )
    if not len(read.past):
        return None
    replayed = Replay(history_of(read, before), before)
    report = report_of(replayed.against(after), Workload(replayed), kept=read.kept, most=CASES_MOST)
    found: Row = {name: report[name] for name in TOLD}
    await looked_at(database, who, found, "rules_past")
    return found


def show_past(past: Row) -> None:
    """The count, and the kinds of change, the most frequent first."""
    terminal.say(
        f"\nOf [bold]{past['decisions']:,}[/] past decisions [bold]{past['changed']:,}[/] would have come out "
        f"otherwise, of {past['persons']:,} {'person' if past['persons'] == 1 else 'persons'}."
    )
    for change in past["changes"][:SHOWN_MOST]:
        times = f"{change['decisions']:,} {'time' if change['decisions'] == 1 else 'times'}"
        terminal.say(f"  {times}, by {', '.join(rule['rule'] for rule in change['rules'])}")
        for line in change["before"]:
            terminal.say(f"    [red]-[/] {line}")
        for line in change["after"]:
            terminal.say(f"    [green]+[/] {line}")
    if len(past["changes"]) > SHOWN_MOST:
        terminal.say(
            f"  and {len(past['changes']) - SHOWN_MOST} more kinds of change: --json, or `onward rules replay`"
        )
