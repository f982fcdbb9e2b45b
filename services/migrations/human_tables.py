"""The tables of human decisions, of the first schema: apart, so that each file can be read at one go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def create_human_tables() -> None:
    """What humans decided, and who was taken for one person with whom."""
    op.create_table(
        "human_decisions",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("review_id", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_user", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
    )
    with op.batch_alter_table("human_decisions", schema=None) as batch_op:
        batch_op.create_index("human_decisions_of_person", ["person_id"], unique=False)
        batch_op.create_index("human_decisions_of_review", ["review_id"], unique=False)
