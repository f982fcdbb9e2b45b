"""A consumer's handler of few words: each message says what it does to the handler, so that a test can say it too."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, insert, select
from sqlalchemy.exc import OperationalError

from schemas.envelope import EventType
from schemas.receipt import Problem, Receipt
from schemas.refusal import Unacceptable
from schemas.vocabulary import ReceiptOutcome
from services.ground import streams, tables
from services.ground.batch import read_all, take_apart, take_together
from services.ground.database import Database, open_database
from services.ground.handler import Incoming
from services.ground.inorder import Place
from services.ground.keys import make_ahead
from services.ground.microbatch import Delivery
from services.ground.opening import read_gently
from services.ground.settings import Settings
from services.ground.work import Key, Work

KEYS_AHEAD = 256  # more than any test sets aside
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)

effects = Table(
    "toy_effects",
    MetaData(),
    Column("row", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("partition", Integer),
)


class ToyHandler:
    """Writes one row of `toy_effects` for each message, or fails as the message says."""

    service = "toy"

    def __init__(self) -> None:
        self.unreadable: set[str] = set()  # ids that the reader has unlearned
        self.failing: set[str] = set()  # ids that `take` trips over
        self.seen: list[Delivery] = []  # what `take` was given
        self.refuses_itself = False  # as the router does, in the midst of a batch

    def read(self, delivery: Delivery) -> Incoming[dict[str, object]]:
        """Anything but a JSON object with an id is unreadable."""
        try:
            body = json.loads(delivery.raw)
            id_ = body["id"]
        except (ValueError, KeyError, TypeError):
            raise Unacceptable("unreadable") from None
        if id_ in self.unreadable:
            raise Unacceptable("unreadable", [Problem(place="/id", message="is not known any more")])
        place = Place(body["person"], body["number"]) if "number" in body else None
        return Incoming(delivery, body, Key("toy-source", id_), place)

    def take(self, messages: Sequence[Incoming[dict[str, object]]], work: Work) -> None:
        """One row each, in order."""
        for message in messages:
            self.seen.append(message.delivery)
            try:
                _fail("boom" if message.body["id"] in self.failing else message.body.get("take"), work)
            except Unacceptable as why:
                if not self.refuses_itself:
                    raise
                self.refuse(message.delivery, why, work, key=message.key)
                continue
            row = {"id": message.body["id"], "partition": message.delivery.partition}
            work.connection.execute(insert(effects), row)

    def refuse(self, delivery: Delivery, why: Unacceptable, work: Work, *, key: Key | None) -> None:
        """Quarantine, and tell the source; fails where the message says so, even one that could not be read."""
        if work.quarantine(delivery, why, key=key) is None:
            return
        receipt = Receipt(
            outcome=ReceiptOutcome.REFUSED, subject=delivery.subject, received_at=work.now, digest="0" * 64
        )
        work.publish(
            streams.RECEIPT,
            "receipt.toy-source",
            EventType.RECEIPT_ISSUED,
            receipt,
            person=None,
            partition=delivery.partition,
        )
        for failure in ("boom", "null", "nul", "outage"):
            if f'"refuse": "{failure}"'.encode() in delivery.raw:
                _fail(failure, work)


def _fail(how: object, work: Work) -> None:
    if how == "boom":
        raise RuntimeError(how)
    if how == "refused":
        raise Unacceptable("refused", [Problem(place="/take", message="said so")])
    if how == "null":
        work.connection.execute(insert(effects), {"id": None})
    if how == "nul":  # only PostgreSQL refuses it
        work.connection.execute(insert(effects), {"id": "\0"})
    if how == "outage":
        raise OperationalError("planted", None, RuntimeError("planted"))


@dataclass(frozen=True)
class Toy:
    """A migrated store, and what a consumer does with a batch."""

    database: Database
    handler: ToyHandler

    async def take(self, *batch: Delivery, max_attempts: int = 3) -> list[Delivery]:
        """As a consumer takes a batch. Returns what it leaves to be delivered again."""
        messages = read_all(self.handler, batch)

        def together(connection: Connection) -> None:
            work = Work(connection, service=self.handler.service, now=NOW)
            take_together(self.handler, messages, work)
            work.finish()

        def apart(connection: Connection) -> list[Delivery]:
            work = Work(connection, service=self.handler.service, now=NOW)
            left = take_apart(self.handler, messages, work, max_attempts=max_attempts)
            work.finish()
            return left

        try:
            await self.database.write(together)
        except Exception:  # noqa: BLE001 - as the consumer does
            return await self.database.write(apart)
        return []

    async def taken(self) -> list[str]:
        """The ids of the messages that were taken, in order."""
        order = effects.c.row
        return list(await self.database.read(lambda c: c.execute(select(effects.c.id).order_by(order)).scalars().all()))

    async def aside(self) -> list[tuple[str, str]]:
        """Of each message in quarantine its id as it stands there, or its bytes, and the reason."""
        rows = await self.rows(tables.quarantine)
        return [(_id_in(row["raw"]), row["reason"]) for row in sorted(rows, key=lambda row: str(row["id"]))]

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        """All rows of a table."""
        return await self.database.read(lambda c: read_gently(c, select(table)))

    async def told(self, stream: str) -> int:
        """How many messages for a stream are owed."""
        return len([row for row in await self.rows(tables.outbox) if row["stream"] == stream])


def _id_in(raw: bytes) -> str:
    try:
        return str(json.loads(raw)["id"])
    except (ValueError, KeyError, TypeError):
        return raw.decode(errors="replace")


@asynccontextmanager
async def toy(settings: Settings) -> AsyncIterator[Toy]:
    """The store of these settings, which is migrated, with the toy's table."""
    database = await open_database(settings)
    try:
        await database.write(effects.create)
        await make_ahead(database, KEYS_AHEAD, NOW)
        yield Toy(database, ToyHandler())
    finally:
        await database.close()


def says(id_: str, *, at: int = 1, partition: int = 0, tries: int = 1, **more: object) -> Delivery:
    """A delivery of a message that says these things, at a place of the stream."""
    return delivered(json.dumps({"id": id_, **more}).encode(), at=at, partition=partition, tries=tries)


def delivered(raw: bytes, *, at: int = 1, partition: int = 0, tries: int = 1) -> Delivery:
    """Bytes, as the broker delivers them for the `tries`-th time."""
    ack = f"$JS.ACK.CASE.toy.{tries}.{at}.{at}.1.0"
    return Delivery(f"case.{partition}.toy", raw, ack, streams.CASE, at, partition)
