"""A refused message that the broker delivers again, because its acknowledgement was lost, is refused once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nats.errors import Error as NatsError

from services.ground.microbatch import Delivery
from services.ground.settings import Settings
from tests.support.events import referral_of
from tests.support.system import system


async def test_a_refused_message_that_comes_again_is_told_and_kept_once(settings: Settings) -> None:
    async with system(settings.model_copy(update={"redelivery_seconds": (0.3, 0.3)})) as onward:
        good = referral_of(1)
        await onward.publish(good)
        await onward.settle()

        consumer: Any = onward.services["intake"].consumer
        ack = consumer._subscription.ack
        lost: set[int] = set()

        async def lose_the_first_of_each(deliveries: Sequence[Delivery]) -> None:
            numbers = {delivery.stream_sequence for delivery in deliveries}
            if not numbers <= lost:
                lost.update(numbers)
                raise NatsError
            await ack(deliveries)

        consumer._subscription.ack = lose_the_first_of_each
        conflicting = {**good, "time": "2026-01-01T09:00:00Z"}
        await onward.publish(b"not JSON", source="met-police")
        await onward.publish(json.dumps(conflicting).encode(), source=good["source"])
        await onward.settle()

        assert len(lost) == 2, "both came again"
        outcomes = sorted(receipt["data"]["outcome"] for receipt in await onward.messages("RECEIPT"))
        assert outcomes == ["accepted", "conflict", "refused"]
        kept = sorted(row["outcome"] for row in await onward.rows("SELECT outcome FROM raw_messages"))
        assert kept == ["accepted", "refused", "refused"]
        assert await onward.count("quarantine") == 2
