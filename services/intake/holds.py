"""Legal holds: while one stands, its person is neither erased nor proposed for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from schemas.vocabulary import AuditOperation
from services.ground.opening import read_gently
from services.ground.work import Work
from services.intake.store import legal_holds

_hold = legal_holds.c


def place_holds(
    work: Work, persons: Sequence[str], actor: dict[str, str], because: str, until: datetime | None
) -> list[str]:
    """Hold each of these persons: whoever is one with others today may be parted from them. Returns the holds' ids.

    Raises Erased.
    """
    ids: list[str] = []
    for person in persons:
        id_ = work.id()
        row = {
            "id": id_,
            "person_id": person,
            "placed_at": work.now,
            "by_user": actor["id"],
            "because": work.seal_text(person, _hold.because, id_, because),
            "until": until,
        }
        work.connection.execute(insert(legal_holds).values(row))
        _enter(work, person, id_, id_, actor, because, ("because", "until") if until else ("because",))
        ids.append(id_)
    return ids


def release_holds(work: Work, persons: Collection[str], actor: dict[str, str], because: str) -> list[str]:
    """End the holds that stand on these persons. Returns their ids. Raises Erased."""
    standing = holds_on(work.connection, persons, work.now)
    for hold in standing:
        id_, person, release = str(hold["id"]), str(hold["person_id"]), work.id()
        change = {
            "released_at": work.now,
            "released_by": actor["id"],
            "released_because": work.seal_text(person, _hold.released_because, id_, because),
            "release_id": release,
        }
        work.connection.execute(update(legal_holds).where(_hold.id == id_).values(change))
        _enter(work, person, id_, release, actor, because, ("released_at", "released_because"))
    return [str(hold["id"]) for hold in standing]


def holds_on(connection: Connection, persons: Collection[str], now: datetime) -> list[dict[str, Any]]:
    """The holds that stand on these persons now, the oldest first."""
    stands = _hold.released_at.is_(None) & or_(_hold.until.is_(None), _hold.until > now)
    query = select(legal_holds).where(_hold.person_id.in_(sorted(persons)), stands).order_by(_hold.id)
    return read_gently(connection, query)


def holds_ever_on(connection: Connection, persons: Collection[str]) -> list[dict[str, Any]]:
    """All holds that there ever were on these persons, the oldest first."""
    return read_gently(connection, select(legal_holds).where(_hold.person_id.in_(sorted(persons))).order_by(_hold.id))


def _enter(
    work: Work, person: str, hold: str, about: str, actor: dict[str, str], because: str, fields: Sequence[str]
) -> None:
    work.audit(
        AuditOperation.ALTER,
        actor=actor,
        person_id=person,
        records=(("legal_hold", hold),),
        fields=fields,
        purpose="legal_hold",
        wrote=because,
        correlation_id=about,
    )
