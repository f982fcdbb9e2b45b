"""The rows of a case and of its legs, with what is personal in them sealed."""

from __future__ import annotations

from services.ground.bulk import Row
from services.ground.work import Work
from services.router import store
from services.router.casework.case import Case, Leg

# Named once: to look a column up took as long as to seal for it.
_REMEMBERED, _ACCOUNT = store.cases.c.remembered, store.legs.c.account


def case_row(case: Case, work: Work) -> Row:
    """The row of a case as it is now."""
    return {
        "person_id": case.person_id,
        "opened_at": case.opened_at,
        "changed_at": work.now,
        "referral_event": case.referral_event,
        "lawful_basis": case.lawful_basis,
        "remembered": work.seal_json(case.person_id, _REMEMBERED, case.person_id, case.remembered),
        "joined": case.joined or None,
    }


def leg_row(leg: Leg, person_id: str, work: Work) -> Row:
    """The row of a leg as it is now; `person_id` is whose case it stands in, where the leg names nobody itself."""
    person = leg.person_id or person_id
    account = leg.account.to_json() if leg.account else None
    return {
        "id": leg.id,
        "person_id": person,
        "destination": leg.destination,
        "status": leg.status.value,
        "since": leg.since,
        "priority": leg.priority,
        "due_at": leg.due_at,
        "opened_at": leg.opened_at,
        "closed_at": leg.closed_at,
        "commands": leg.commands,
        "held_from": leg.held_from.value if leg.held_from else None,
        "concluded_at": leg.concluded_at,
        "reason": leg.reason,
        "waitlist_place": leg.waitlist_place,
        "expected_on": leg.expected_on,
        "referral_event": leg.referral,
        "account": work.seal_json(person, _ACCOUNT, leg.id, account),
        "joined_to": leg.joined_to,
        "occasion": leg.occasion,
        "opened_by": leg.opened_by,
        "reroute_of": leg.reroute_of,
        "told_in": list(leg.told_in) or None,
    }
