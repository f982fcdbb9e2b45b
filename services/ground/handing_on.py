"""Within one transaction, from a service to the next one: what it hands on is taken before it is ever sent.

Where that does not go smoothly the transaction is done again and everything goes by the queue, as ever: there it has a
place in a stream, is tried by itself, counted, and set aside alone. So nothing here decides about failures, and what
goes well (nearly everything) pays for no savepoint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.ground.batch import Bad, read_all, take_together
from services.ground.handler import Handler
from services.ground.microbatch import Delivery
from services.ground.publisher import Outgoing
from services.ground.work import Work

NO_PLACE = 0  # of a message that was in no stream
FIRST_TRY = "$JS.ACK.-.-.1.0.0.0.0"  # nobody acknowledges it, but the number of tries is read from it


@dataclass(frozen=True, slots=True)
class Reader:
    """A service of this process that can take what is handed on to it."""

    handler: Handler[Any]
    stream: str  # what it reads
    epochs: Mapping[int, int]  # the partitions that it held before this transaction


class NotHandedOn(Exception):
    """A reader could not take all that was for it: nothing of this transaction may be kept."""

    def __init__(self, service: str, error: Exception | None = None) -> None:
        super().__init__(f"{service}: {type(error).__name__ if error else 'something would be set aside'}")
        self.service = service


def hand_on(work: Work, readers: Sequence[Reader], held: Mapping[tuple[str, int], int]) -> Counter[str]:
    """Let each reader in turn take what was made for it, in `work`'s transaction, and add what it leaves to `work`.

    `held` are the partitions that this process holds in this transaction, as (service, partition) to epoch: a reader
    that lost one takes nothing of it. Returns how many messages each service took. Raises NotHandedOn.
    """
    taken: Counter[str] = Counter()
    for reader in readers:
        service = reader.handler.service
        ours = {p for p, epoch in reader.epochs.items() if held.get((service, p)) == epoch}
        messages = [m for m in work.outgoing if m.stream == reader.stream and _partition(m) in ours]
        if not messages:
            continue
        follower = Work(work.connection, service=service, now=work.now, organisation=work.organisation)
        try:
            _take(reader.handler, messages, follower)
        except NotHandedOn:
            raise
        except Exception as error:
            raise NotHandedOn(service, error) from error
        work.hand_on(messages, follower)
        taken[service] += len(messages)
    return taken


def _take(handler: Handler[Any], messages: Collection[Outgoing], work: Work) -> None:
    batch = [Delivery(m.subject, m.payload, FIRST_TRY, m.stream, NO_PLACE, _partition(m)) for m in messages]
    read = read_all(handler, batch)
    if any(isinstance(message, Bad) for message in read):
        raise NotHandedOn(work.service)
    work.owners.update((work.service, delivery.partition) for delivery in batch)
    take_together(handler, read, work)
    if work.freed:
        raise NotHandedOn(work.service)


def _partition(message: Outgoing) -> int:
    """`case.<partition>.<type>` and `dispatch.<partition>.<destination>`."""
    return int(message.subject.split(".", 2)[1])
