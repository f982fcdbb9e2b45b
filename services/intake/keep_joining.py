"""Writes down that two persons are one, are not, or are no longer."""

from __future__ import annotations

from schemas.vocabulary import DecisionKind
from services.ground.work import Work
from services.intake import store
from services.intake.joining import Joining


def keep_joining(joining: Joining, by: str, event_id: str, work: Work) -> None:
    """Keep what a human said of two persons. Who were one and are parted are not asked about again."""
    connection, now = work.connection, work.now
    match joining.kind:
        case DecisionKind.MERGE_PERSONS:
            row = {
                "id": work.id(),
                "survivor": joining.survivor,
                "merged": joining.merged,
                "at": now,
                "by_user": by,
                "event_id": event_id,
            }
            store.keep_merge(connection, row)
        case DecisionKind.UNMERGE_PERSONS:
            store.undo_merge(connection, joining.merged, undone_at=now, undone_by=by, undone_event=event_id)
            store.keep_apart(connection, joining.survivor, joining.merged, at=now, by_user=by, event_id=event_id)
        case _:
            store.keep_apart(connection, joining.survivor, joining.merged, at=now, by_user=by, event_id=event_id)
