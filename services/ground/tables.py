"""The ground's own tables: what every unit of work writes beside its service's effects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Index, Integer, LargeBinary, Table, Text, TypeDecorator
from sqlalchemy.engine import Dialect

from services.ground.schema import metadata
from services.ground.sealing import Sealed


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC. SQLite has no time zones, so it is put back on the way out.

    There it is text, which SQLAlchemy's own type writes and reads number by number: every row has two or three.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """What writes a value; on SQLite the text that SQLAlchemy would write."""
        return _written if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """What reads a value."""
        return _read if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse naive datetimes: they are how a referral ends up an hour late."""
        return None if value is None else _utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give it back aware."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a naive datetime must never reach the store")
    return value.astimezone(UTC)


def _written(value: datetime | None) -> str | None:
    return None if value is None else _utc(value).replace(tzinfo=None).isoformat(" ", "microseconds")


def _read(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


person_keys = Table(  # what opens a person's content; in a schema of its own, so that backups can leave it out
    "person_keys",
    metadata,
    Column("name", Text, primary_key=True),  # a person's id, that of a message that is nobody's, or "index"
    Column("key", LargeBinary, nullable=False),
    Column("made_at", Moment, nullable=False),
    schema="keys",
)

erased_keys = Table(  # keys that were destroyed; what was sealed with them is erased, and not lost
    "erased_keys",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # from 1, so that processes hear of new ones
    Column("name", Text, nullable=False, unique=True),
    Column("at", Moment, nullable=False),
)

entry_texts = Table(  # what humans wrote for the audit log; an entry itself holds a commitment to it
    "entry_texts",
    metadata,
    Column("entry_id", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("sealed", Sealed("text"), nullable=False),
)
Index("entry_texts_of_person", entry_texts.c.person_id)

inbox = Table(  # what a consumer has taken, for ever: a repeat changes nothing
    "inbox",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("taken_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

outbox = Table(  # what is to be published, kept after it was: the broker can be filled again from here
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),  # UUIDv7; also the Nats-Msg-Id and the envelope's id
    Column("service", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("stream", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("sent_at", Moment),  # when the broker confirmed it
    Column("stream_sequence", BigInteger),  # where the broker keeps it
    sqlite_with_rowid=False,
)
Index("outbox_unsent", outbox.c.service, outbox.c.partition, outbox.c.id,
      sqlite_where=outbox.c.sent_at.is_(None), postgresql_where=outbox.c.sent_at.is_(None))  # fmt: skip
Index("outbox_by_place", outbox.c.stream, outbox.c.stream_sequence,
      sqlite_where=outbox.c.stream_sequence.is_not(None),
      postgresql_where=outbox.c.stream_sequence.is_not(None))  # fmt: skip

audit_entries = Table(  # what was entered and the audit log has not taken yet; what a transaction did, it enters here
    "audit_entries",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("entry", LargeBinary, nullable=False),  # the exact bytes that the log proves
)

payloads = Table(  # what each row of the outbox carries; apart, or it would be written again to note that it was sent
    "payloads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("payload", Sealed("bytes", clear=True), nullable=False),
)

positions = Table(  # the last event of each ordered key (a person, a leg) that a consumer has taken
    "positions",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

early = Table(  # messages that came before their predecessor; taken as soon as it has been
    "early",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("payload", Sealed("bytes", clear=True), nullable=False),
    Column("source", Text),  # with `id` its inbox key: freed when it turns out that it cannot be taken
    Column("id", Text),
    Column("stream_sequence", BigInteger, nullable=False),
    Column("arrived_at", Moment, nullable=False),
)

attempts = Table(  # failures of one message, counted until it is taken or quarantined
    "attempts",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("delivery", Text, primary_key=True),  # stream:sequence:digest
    Column("failures", Integer, nullable=False),
    Column("error", Text, nullable=False),  # the error's class: texts may hold what must not be logged
    Column("last_at", Moment, nullable=False),
)

quarantine = Table(  # what could not be taken: raw bytes, why, where, and what became of it
    "quarantine",
    metadata,
    Column("id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("delivery", Text, nullable=False, unique=True),  # service:stream:sequence:digest, so a redelivery is one row
    Column("stream", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("source", Text),
    Column("message_id", Text),  # with `source` the envelope's key, where it could be read
    Column("raw", Sealed("bytes")),  # none: whose it was is erased, or its time is over
    Column("digest", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("problems", JSON, nullable=False),  # [{"place": pointer, "message": ...}]
    Column("quarantined_at", Moment, nullable=False),
    Column("told_at", Moment),  # when its sender was told, whose it is to mend; None: it waits for people here
    Column("resent_at", Moment),
    Column("resent_by", Text),
    Column("resent_as", Text),  # the outbox row that carries it
)
_waits = quarantine.c.resent_at.is_(None) & quarantine.c.told_at.is_(None)
Index("quarantine_waiting", quarantine.c.quarantined_at, sqlite_where=_waits, postgresql_where=_waits)

leases = Table(  # which process handles a partition; the epoch fences off one that lost it
    "leases",
    metadata,
    Column("service", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("owner", Text),
    Column("epoch", BigInteger, nullable=False),
    Column("until", Moment),
)

reconciled = Table(  # every outbox row of this service and stream up to here was taken by its reader
    "reconciled",
    metadata,
    Column("service", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("up_to", Text, nullable=False),  # an outbox id
)

streams_seen = Table(  # when the broker made each stream: another moment means that it lost what it had
    "streams_seen",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("created", Text, nullable=False),
)

instances = Table(  # processes that are alive, so that partitions are shared out fairly, and for `onward status`
    "instances",
    metadata,
    Column("service", Text, primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("seen_at", Moment, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("taken", BigInteger, nullable=False),  # messages since it started
)
