"""The streams and consumers, in one place. `onward migrate` declares them; services never do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from services.ground.errors import NotMigrated, OnwardError
from services.ground.settings import Settings

INTAKE: Final = "INTAKE"
CASE: Final = "CASE"
DISPATCH: Final = "DISPATCH"
ROUTE: Final = "ROUTE"
AUDIT: Final = "AUDIT"
RECEIPT: Final = "RECEIPT"
QUARANTINE: Final = "QUARANTINE"

SUBJECTS: Final = {
    INTAKE: "intake.*.*",  # intake.<source>.<referral|risk|progress|decision>: what sources publish
    CASE: "case.*.*",  # case.<partition>.<type>: accepted events
    DISPATCH: "dispatch.*.*",  # dispatch.<partition>.<destination>: whole commands, for dispatch alone
    ROUTE: "route.*",  # route.<destination>: what leaves, cut to what that destination may see
    AUDIT: "audit.*",  # audit.<operation>
    RECEIPT: "receipt.*",  # receipt.<source>: what became of a message, for its source
    QUARANTINE: "quarantine.*",  # quarantine.<service>: that something waits to be mended; never its content
}

TAKES: Final = {"intake": INTAKE, "router": CASE, "dispatch": DISPATCH}  # each one's stream, in a message's way
SHARED_OUT: Final = ("router", "dispatch")  # among processes, over settings.partitions
SERVICES: Final = (*TAKES, "audit")  # the log takes what is entered in the store, and no stream
MAX_ACK_PENDING: Final = 4096
_NOT_A_TOKEN: Final = re.compile(r"[^A-Za-z0-9_:-]")  # of a subject


@dataclass(frozen=True)
class Feed:
    """One durable consumer: the messages of one partition for one service."""

    stream: str
    durable: str
    partition: int
    filter_subject: str


def feeds_of(service: str, settings: Settings) -> list[Feed]:
    """The feeds of a service, one a partition; none of one that takes no stream."""
    stream = TAKES.get(service)
    if stream is None:
        return []
    if service not in SHARED_OUT:
        return [Feed(stream, service, 0, SUBJECTS[stream])]
    prefix = SUBJECTS[stream].partition(".")[0]
    return [Feed(stream, f"{service}-{p}", p, f"{prefix}.{p}.*") for p in range(settings.partitions)]


def partitions_of(service: str, settings: Settings) -> int:
    """Over how many partitions a service is shared out among its processes."""
    return settings.partitions if service in SHARED_OUT else 1


def ready_subject(service: str, instance: str | None = None) -> str:
    """Where to ask whether a service can work: the process of this name, or whichever answers first."""
    whole = f"ops.{service}.ready"
    return whole if instance is None else f"{whole}.{_NOT_A_TOKEN.sub('_', instance)}"


def partition_of(person_id: str, settings: Settings) -> int:
    """The one partition of a person, from the random end of their id."""
    return int(person_id[-8:], 16) % settings.partitions


def _stream_config(name: str, settings: Settings) -> StreamConfig:
    return StreamConfig(
        name=name,
        subjects=[SUBJECTS[name]],
        storage=StorageType.FILE,
        retention=RetentionPolicy.LIMITS,  # an acknowledgement never deletes
        discard=DiscardPolicy.NEW,  # when full, refuse; never evict
        max_age=settings.stream_max_age_days * 86400,
        max_bytes=settings.stream_max_bytes,
        num_replicas=settings.nats_replicas,
        duplicate_window=settings.duplicate_window_seconds,
        deny_delete=True,
        deny_purge=True,
        allow_atomic=True,
        metadata={"onward-partitions": str(settings.partitions)},
    )


def _consumer_config(feed: Feed, settings: Settings) -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=feed.durable,
        filter_subject=feed.filter_subject,
        ack_policy=AckPolicy.EXPLICIT,
        deliver_policy=DeliverPolicy.ALL,
        max_deliver=-1,  # attempts are counted in our store, where quarantine is a transaction
        backoff=list(settings.redelivery_seconds),
        max_ack_pending=MAX_ACK_PENDING,
        num_replicas=settings.nats_replicas,
    )


async def declare(js: JetStreamContext, settings: Settings) -> None:
    """Create every stream and consumer, or bring them to these settings.

    Raises OnwardError where that would break the order of a person's events (another number of partitions).
    """
    for name in SUBJECTS:
        config = _stream_config(name, settings)
        try:
            there = await js.stream_info(name)
        except NotFoundError:
            await js.add_stream(config)
            continue
        had = (there.config.metadata or {}).get("onward-partitions")
        if had is not None and int(had) != settings.partitions:
            raise OnwardError(
                f"the streams were made with {had} partitions and ONWARD_PARTITIONS is {settings.partitions}: "
                "a person's events would change partition midway; set it back"
            )
        await js.update_stream(config)
    for service in TAKES:
        for feed in feeds_of(service, settings):
            await js.add_consumer(feed.stream, _consumer_config(feed, settings))


async def require_declared(js: JetStreamContext, service: str, settings: Settings) -> None:
    """Raise NotMigrated unless this service's consumers exist: a wrong name would consume nothing, for ever."""
    for feed in feeds_of(service, settings):
        try:
            await js.consumer_info(feed.stream, feed.durable)
        except NotFoundError:
            raise NotMigrated(f"the broker has no consumer {feed.durable} on {feed.stream}") from None
