"""onward person: what is held of one person, for how long, and the end of it."""

from __future__ import annotations

from services.cli.later import Later, group_of

# Its name, where it is, what help says of it, and an example; in the order of the help.
COMMANDS: tuple[Later, ...] = (
    Later(
        "export",
        "person_export:export_person",
        "Write all that is held of a person, for that person: what is about others is held back and marked.",
        "onward person export 2003/0073319Z --by j.smith --because 'Their request of 3 March' --html theirs.html",
    ),
)
app = group_of(COMMANDS)
