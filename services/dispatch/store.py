"""Dispatch's tables."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, Table, Text

from services.ground.database import metadata
from services.ground.tables import Moment

deliveries = Table(  # what was handed to a destination's channel
    "deliveries",
    metadata,
    Column("command_id", Text, primary_key=True),
    Column("leg_id", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("number", Integer, nullable=False),  # of the leg's commands, from 1
    Column("channel", Text, nullable=False),
    Column("message_id", Text, nullable=False),  # the outbox row that carries it
    Column("event_id", Text, nullable=False),  # what it goes back to
    Column("fields", JSON, nullable=False),  # the paths that were disclosed, never their values
    Column("handed_over_at", Moment, nullable=False),
)
Index("deliveries_of_leg", deliveries.c.leg_id)
Index("deliveries_of_event", deliveries.c.event_id)
