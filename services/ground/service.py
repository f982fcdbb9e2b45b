"""One service as a FastStream app: its connection, its consumer, and a question that only a working one answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from faststream import AckPolicy, FastStream
from faststream.nats import NatsBroker
from faststream.nats.annotations import NatsMessage
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.ground.consumer import Consumer
from services.ground.errors import BrokerUnreachable, NotMigrated, OnwardError
from services.ground.handler import Chore, Duty, Handler
from services.ground.log import logger
from services.ground.migration import require_schema
from services.ground.streams import ready_subject, require_declared
from services.ground.wire import toughen
from services.ground.world import CONNECTION, World

MESSAGES_IN_ONE = 3  # a referral, an event and the envelope around them
ANSWER_SECONDS = 2.0  # a question that the broker has not answered by then was lost with it, and is asked again
ASK_AGAIN_SECONDS = 0.2


Body = TypeVar("Body")


class Service:
    """A service that can be started alone or beside others in one process."""

    def __init__(
        self, handler: Handler[Any], world: World, *, chores: Sequence[Chore] = (), duties: Sequence[Duty] = ()
    ) -> None:
        self.name = handler.service
        self._world = world
        self._handler = handler
        self._chores = chores
        self._duties = duties
        self._log = logger(self.name)
        self.consumer: Consumer[Any] | None = None
        self.lost = asyncio.Event()  # its connection is closed for good: it can do nothing more
        self._stopping = False
        self._broker = NatsBroker(
            world.nats_url.split(","),
            name=f"onward-{self.name}",
            error_cb=self._on_error,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_closed,
            logger=None,
            **CONNECTION,
        )
        # Core NATS, nothing to acknowledge: MANUAL all the same, so that no subscriber of ours has another policy.
        for subject in (ready_subject(self.name), ready_subject(self.name, world.settings.instance)):
            self._broker.subscriber(subject, ack_policy=AckPolicy.MANUAL)(self._answer_ready)
        self.app = FastStream(
            self._broker, logger=None, after_startup=[self._start_consumer], on_shutdown=[self._stop_consumer]
        )

    async def start(self) -> None:
        """Connect and begin. Raises BrokerUnreachable or NotMigrated rather than wait in silence."""
        seconds = self._world.settings.connect_seconds
        try:
            # The client itself would try for ever, in silence.
            await asyncio.wait_for(self._broker.connect(), seconds)
        except (OSError, NatsError, TimeoutError) as error:
            raise BrokerUnreachable(self._world.nats_url, seconds=seconds, detail=type(error).__name__) from error
        await self.app.start()

    async def stop(self) -> None:
        """Finish what is in hand and disconnect."""
        self._stopping = True
        try:
            await self.app.stop()
        except* NatsError as errors:  # the broker is away, so there is nobody to take leave of
            self._log.warning("stopped_without_broker", error=type(errors.exceptions[0]).__name__)
            if not self.lost.is_set():
                await (await self._broker.connect()).close()

    async def _start_consumer(self) -> None:
        connection = await self._broker.connect()
        toughen(connection)
        await self._world.database.read(require_schema)
        await self._require_declared(connection)
        self._require_room(connection.max_payload)
        self.consumer = Consumer(
            self._handler,
            settings=self._world.settings,
            clock=self._world.clock,
            database=self._world.database,
            connection=connection,
            chores=self._chores,
            duties=self._duties,
            together=self._world.together if self._world.database.dialect == "sqlite" else None,
        )
        await self.consumer.start()
        self._log.info("service_started", partitions=self.consumer.partitions)

    async def _require_declared(self, connection: Client) -> None:
        """Raise NotMigrated unless our consumers are there.

        A broker that is away for a moment is waited for, as for a connection. Raises BrokerUnreachable.
        """
        seconds = self._world.settings.connect_seconds
        why = ""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        js = connection.jetstream(timeout=ANSWER_SECONDS)
                        return await require_declared(js, self.name, self._world.settings)
                    except NatsError as error:
                        why = type(error).__name__
                        self._log.warning("broker_did_not_answer", error=why)
                        await asyncio.sleep(ASK_AGAIN_SECONDS)
        except TimeoutError as error:
            raise BrokerUnreachable(self._world.nats_url, seconds=seconds, detail=why) from error

    async def _on_closed(self) -> None:
        """The client closes a connection for good where the broker refuses it, and would stand still in silence."""
        if not self._stopping:
            self._log.error("connection_closed")
            self.lost.set()

    async def _stop_consumer(self) -> None:
        if self.consumer:
            await self.consumer.stop()
            self._log.info("service_stopped")

    def _require_room(self, max_payload: int) -> None:
        """A command holds a referral and an event; one that the broker refuses would hold up all behind it."""
        needed = MESSAGES_IN_ONE * self._world.settings.max_message_bytes
        if max_payload < needed:
            raise OnwardError(
                f"the broker takes messages of {max_payload} bytes and ONWARD_MAX_MESSAGE_BYTES needs {needed}: "
                "raise max_payload in its configuration, or lower the setting"
            )

    async def _answer_ready(self, _: NatsMessage) -> bytes:
        """Whether this process can do its work now: the store takes a write and the broker knows our consumers.

        The reply is JSON: {"instance", "ready", "partitions", "taken", "why"?}.
        """
        answer: dict[str, object] = {"instance": self._world.settings.instance, "service": self.name}
        try:
            await self._world.database.write(require_schema)
            connection = await self._broker.connect()
            await require_declared(connection.jetstream(), self.name, self._world.settings)
            answer["ready"] = self.consumer is not None and self.consumer.working and not self.consumer.failing
            if self.consumer and self.consumer.failing:
                answer["why"] = "; ".join(f"{name}: {why}" for name, why in self.consumer.failing.items())
        except (NotMigrated, NatsError, TimeoutError, OSError) as error:
            answer |= {"ready": False, "why": type(error).__name__}
        if self.consumer:
            answer |= {"partitions": self.consumer.partitions, "taken": self.consumer.tally.taken}
        return orjson.dumps(answer)

    async def _on_error(self, error: Exception) -> None:
        self._log.warning("broker_error", error=type(error).__name__)

    async def _on_reconnected(self) -> None:
        self._log.info("broker_reconnected")
        if self.consumer:
            self.consumer.reconnected()
