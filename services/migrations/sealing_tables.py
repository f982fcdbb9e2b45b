"""The tables of persons' keys, of the first schema: apart, so that each file can be read at one go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.ground.keys import make_keys_table


def create_sealing_tables() -> None:
    """Keys in a schema of their own, those that were destroyed, and what humans wrote for the audit log."""
    make_keys_table(op.get_bind())
    op.create_table(
        "erased_keys",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "entry_texts",
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id"),
    )
    with op.batch_alter_table("entry_texts", schema=None) as batch_op:
        batch_op.create_index("entry_texts_of_person", ["person_id"], unique=False)
