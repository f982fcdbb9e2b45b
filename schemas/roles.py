"""Who may answer which question: the ladder of roles, in one place for every service and every console."""

from __future__ import annotations

from typing import Final

# From the lowest up: each may answer what is asked of it, and of those below it.
LADDER: Final = ("duty_worker", "facilitator", "case_manager", "programme_manager", "safeguarding_lead")
MAY_JOIN_PERSONS: Final = "case_manager"  # merging, parting and keeping apart change whose data is whose


def role_name(said: str) -> str:
    """A role as people write it, in our one spelling: `Safeguarding lead` is `safeguarding_lead`."""
    return "_".join(said.casefold().replace("-", " ").replace("_", " ").split())


def who_may_answer(asked: str) -> tuple[str, ...]:
    """The roles that may answer what is asked of a role.

    A role beside the ladder (a clinician) is answered for by nobody else but the top: no manager of a programme
    decides a clinical question, and none is left without somebody who may answer it.
    """
    asked = role_name(asked)
    return LADDER[LADDER.index(asked) :] if asked in LADDER else (asked, LADDER[-1])


def may_answer(role: str, asked: str) -> bool:
    """Whether somebody in this role may answer what is asked of that one."""
    return role_name(role) in who_may_answer(asked)
