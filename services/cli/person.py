"""onward person: what is held of one person, for how long, and the end of it."""

from __future__ import annotations

from services.cli.later import Later, group_of

# Its name, where it is, what help says of it, and an example; in the order of the help.
COMMANDS: tuple[Later, ...] = (
    Later(
        "show",
        "person_hold:show",
        "Show for how long a person is kept: their legal holds, when they are to be reviewed, whether they are erased.",
        "onward person show 1986/0154321Y",
    ),
    Later(
        "hold",
        "person_hold:hold",
        "Put a person under a legal hold: they are neither erased nor proposed for it while it stands.",
        'onward person hold 1986/0154321Y --by j.smith --because "An inquest is open." --until 2027-03-31',
    ),
    Later(
        "release",
        "person_hold:release",
        "End every legal hold that stands on a person, and on all who are merged into them. Exits 1 where none does.",
        'onward person release 1986/0154321Y --by j.smith --because "The inquest is over."',
    ),
    Later(
        "erase",
        "person_erase:erase_person",
        "Erase a person for good, and all who are merged into them: destroy their keys, and log why.",
        'onward person erase 1986/0154321Y --by j.smith --because "He asked for it, and nothing stands against it."',
    ),
    Later(
        "export",
        "person_export:export_person",
        "Write all that is held of a person, for that person: what is about others is held back and marked.",
        "onward person export 1986/0154321Y --by j.smith --because 'Their request of 3 March' --html theirs.html",
    ),
)
app = group_of(COMMANDS)
