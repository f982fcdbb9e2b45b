"""The world outside: sources that publish, destinations that answer, humans who decide, an operator.

What they say is in `sources` and `duty`; here is when, and what goes wrong on its way.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import orjson

from services.cli.consulting import Looker
from services.cli.quarantine import resend_in
from services.ground import outbox
from services.ground.errors import OnwardError
from services.ground.publisher import Publisher
from services.ground.settings import Settings
from services.ground.streams import RECEIPT, ROUTE
from services.ground.world import World
from tests.sim.broker import Appended, Broker
from tests.sim.chaos import Chaos, Fault
from tests.sim.client import Msg, SimClient
from tests.sim.clock import SimClock, moment
from tests.sim.duty import duty_says
from tests.sim.loop import Process, VirtualLoop
from tests.sim.sources import SAYS, Said, Saying, destination_says, referral, relapse
from tests.sim.store import SimDatabase, Store

CONFIRM_SECONDS = 3.0  # until a source publishes again what was not confirmed
LOAD_SECONDS = 18.0
BURST_SECONDS = 0.02  # events come together, or batches would be of one message each
NOT_MENDED = ("failed_repeatedly", "failed_after_waiting")  # reasons of what the handler tripped over


@dataclass(frozen=True, slots=True)
class Load:
    """How much is said: the least and the most of each."""

    persons: tuple[int, int]
    events: tuple[int, int]  # after the referrals
    bursts: tuple[int, int]  # into which they fall
    decisions: tuple[int, int]  # of humans
    answers: int  # of destinations to commands, at the most
    answered: float  # how often a command is answered
    leaps: tuple[int, ...] = (0, 1, 1, 2)  # how often days pass
    says: tuple[Callable[[int, Saying], Said], ...] = SAYS


USUAL = Load(persons=(1, 2), events=(1, 4), bursts=(1, 4), decisions=(0, 3), answers=3, answered=0.3)
# So that a leg has several commands on their way at once.
DENSE = Load(persons=(1, 1), events=(6, 9), bursts=(1, 3), decisions=(0, 2), answers=4, answered=0.3, leaps=(0, 1))
# So that there is something on its way whenever a process loses what it held.
STEADY = Load(persons=(2, 3), events=(12, 18), bursts=(6, 9), decisions=(0, 2), answers=4, answered=0.3, leaps=(0, 1))
# So that there are offers, pauses, checks and questions for days to pass over.
CASEWORK = Load(
    persons=(1, 2),
    events=(2, 4),
    bursts=(2, 4),
    decisions=(3, 8),
    answers=7,
    answered=0.6,
    leaps=(2, 3),
    says=(relapse, *SAYS),
)
# So that a leg rests for long, is closed while it does, and checks that nobody did are asked about by then.
RESTING = Load(
    persons=(1, 1),
    events=(3, 5),
    bursts=(3, 5),
    decisions=(10, 16),
    answers=9,
    answered=0.8,
    leaps=(4, 6),
    says=(relapse,),
)

# So that persons are joined and parted, while questions about a leg of either are open.
JOINED = replace(CASEWORK, persons=(2, 2), decisions=(10, 14), answers=5)


@dataclass(slots=True)
class Sent:
    """One message as its source knows it."""

    source: str
    channel: str
    id: str
    raw: bytes
    good: bool  # False: it can never be taken
    confirmed: bool = False


@dataclass
class People:
    """Everybody outside, and what they have sent."""

    loop: VirtualLoop
    process: Process
    broker: Broker
    chaos: Chaos
    store: Store
    client: SimClient
    database: SimDatabase
    settings: Settings
    load: Load
    tripped: set[str] = field(default_factory=set)  # sources' ids of events over which the router trips
    sent: list[Sent] = field(default_factory=list)
    resent: int = 0
    _busy: set[asyncio.Task[None]] = field(default_factory=set)
    _waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)  # digests of messages that have their receipt
    _numbers: int = 0
    _answers: int = 0
    _answered: set[str] = field(default_factory=set)  # ROUTE messages

    @property
    def chance(self) -> Random:
        """The seed's."""
        return self.chaos.chance

    @property
    def busy(self) -> bool:
        """Whether somebody still has something to say."""
        return bool(self._busy)

    async def start(self) -> None:
        """Begin to listen, and let the load come."""
        await self.client.subscribe("_CONFIRM.*", cb=self._on_confirmation)
        self.broker.listeners.append(self._hear)
        persons = self.chance.randint(*self.load.persons)
        for person in range(1, persons + 1):
            at = self.chance.uniform(0, LOAD_SECONDS / 3)
            self._later(at, lambda p=person: self._publish(referral(p, self._saying())))  # type: ignore[misc]
        bursts = [self.chance.uniform(0, LOAD_SECONDS) for _ in range(self.chance.randint(*self.load.bursts))]
        for _ in range(self.chance.randint(*self.load.events)):
            say, person = self.chance.choice(self.load.says), self.chance.randint(1, persons)
            at = self.chance.choice(bursts) + self.chance.uniform(0, BURST_SECONDS)
            self._later(at, lambda s=say, p=person: self._publish(s(p, self._saying())))  # type: ignore[misc]
        for _ in range(self.chance.randint(*self.load.decisions)):
            self._later(self.chance.uniform(LOAD_SECONDS / 3, LOAD_SECONDS), self._decide)

    async def after_all_is_mended(self) -> None:
        """What was lost before anybody took it is published again, and what was set aside is sent again.

        Under another message id: a broker that lost a message's predecessors can have given its place to it before an
        acknowledgement of theirs came, which it took for one of this message. It has it, and will never deliver it.
        """
        self.tripped.clear()
        if self.broker.losses:
            for message in self.sent:
                if message.confirmed and hashlib.sha256(message.raw).hexdigest() not in self._told:
                    self._start(self._until_confirmed(message, again="-again"))
        await self._resend()

    # Publishing

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _saying(self) -> Saying:
        return Saying(self._number(), moment(self.loop), self.chance)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._start(self._wait_and(seconds, act))

    async def _wait_and(self, seconds: float, act: Callable[[], None]) -> None:
        await asyncio.sleep(seconds)
        act()

    def _start(self, doing: Any) -> None:
        task = self.loop.spawn(self.process, doing)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    def _publish(self, said: Said) -> None:
        """One event, and perhaps what goes wrong with it on its source's side."""
        channel, event = said
        event["time"] = moment(self.loop).isoformat()
        raw, who = orjson.dumps(event), event["source"]
        first = Sent(who, channel, event["id"], raw, good=True)
        messages = [first]
        strikes = self.chaos.strikes
        if strikes(Fault.REPEATED, who):  # said again in other words, under another message id: nobody knows it but us
            messages.append(Sent(who, channel, event["id"], json.dumps(event, indent=1).encode(), good=True))
        if strikes(Fault.CONFLICT, who):
            other = {**event, "data": {**event["data"], "note": f"Other {self._number()}."}}
            if channel == "referral":
                other["data"] = {**event["data"], "reference": f"OTHER-{self._number()}"}
            if channel == "decision":
                other["data"] = {**event["data"], "reason": f"Other {self._number()}."}
            messages.append(Sent(who, channel, event["id"], orjson.dumps(other), good=True))
        if strikes(Fault.POISON, who):
            bad = (b'{"not": "a message %d"}', b"\xff\x00%d", raw[:-20] + b"%d")[self.chance.randrange(3)]
            messages.append(Sent(who, channel, "", bad % self._number(), good=False))
        if channel != "referral" and strikes(Fault.TRIPPED, who):
            self.tripped.add(event["id"])
        self.chance.shuffle(messages)
        self.sent += messages
        for message in messages:
            pause = 0.0 if message is first else self.chance.choice((0.0, 0.01, 4.0))
            self._later(pause, lambda m=message: self._start(self._until_confirmed(m)))  # type: ignore[misc]

    async def _until_confirmed(self, message: Sent, *, again: str = "") -> None:
        subject = f"intake.{message.source}.{message.channel}"
        id_ = hashlib.sha256(message.raw).hexdigest()[:16] + again
        while True:
            reply = f"_CONFIRM.{self._number()}"
            confirmation = self._waiting[reply] = self.loop.create_future()
            self.chaos.trace.note(message.source, f"publishes {message.channel} {message.id} {id_}")
            await self._try_to_send(subject, message.raw, reply, id_)
            try:
                answer = await asyncio.wait_for(confirmation, CONFIRM_SECONDS)
            except TimeoutError:
                continue
            if "seq" in answer:
                message.confirmed = True
                return
            await asyncio.sleep(0.5)

    async def _try_to_send(self, subject: str, raw: bytes, reply: str, id_: str) -> None:
        try:
            await self.client.publish(subject, raw, reply=reply, headers={"Nats-Msg-Id": id_})
        except Exception as error:  # noqa: BLE001 - it tries again when no confirmation comes
            self.chaos.trace.note(self.process.name, type(error).__name__)

    async def _on_confirmation(self, message: Msg) -> None:
        future = self._waiting.pop(message.subject, None)
        if future is not None and not future.done():
            future.set_result(orjson.loads(message.data))

    # Answers

    def _hear(self, seen: Appended) -> None:
        if seen.stream == RECEIPT:
            self._told.add(orjson.loads(seen.message.payload)["data"].get("digest"))
        elif seen.stream == ROUTE and self.chaos.on:
            self._perhaps_answer(seen)

    def _perhaps_answer(self, seen: Appended) -> None:
        load = self.load
        routed = orjson.loads(seen.message.payload)["data"]
        # The programme answers most: it is there that a relapse leads to an offer, and an offer to a pause.
        answered = 1 - (1 - load.answered) ** 3 if routed["destination"] == "dapp" else load.answered
        if self._answers >= load.answers or seen.message.id in self._answered or self.chance.random() > answered:
            return
        self._answers += 1
        self._answered.add(seen.message.id or "")
        pause = 0.0
        for said in destination_says(routed, self._saying()):
            pause += self.chance.uniform(0, 3)
            self._later_outside(pause, lambda s=said: self._publish(s))  # type: ignore[misc]

    def _later_outside(self, seconds: float, act: Callable[[], None]) -> None:
        """From a callback of the broker's."""
        self.process.context.copy().run(self._later, seconds, act)

    def _decide(self) -> None:
        """Somebody on duty decides something."""
        for said in duty_says(self.store.rows, self._saying()):
            self._publish(said)

    # Mending

    async def _resend(self) -> None:
        """What the handler tripped over is sent again as it was, as `onward quarantine resend` does."""
        publisher = Publisher(self.client, timeout_seconds=2.0)  # type: ignore[arg-type]
        await publisher.start()
        clock = SimClock(self.loop, self.process)
        world = World(self.settings, clock, self.database, "")
        mender = Looker("operator", "operator", self.settings.organisation, "It can be taken now.")
        columns = ("id", "stream", "subject", "raw", "resent_as")
        shown = "id, stream, subject, opened('quarantine.raw/' || id, raw), resent_as"
        query = f"SELECT {shown} FROM quarantine WHERE reason IN {NOT_MENDED} ORDER BY id"  # noqa: S608
        for values in self.store.rows(query):
            row = dict(zip(columns, values, strict=True))
            try:
                message = await self.database.write(
                    lambda c, r=row: resend_in(c, r, r["raw"], mender, world)  # type: ignore[misc]
                )
            except OnwardError:
                continue
            confirmed = await publisher.publish([message])
            await self.database.write(lambda c, done=confirmed: outbox.mark_sent(c, done, clock.now()))  # type: ignore[misc]
            self.resent += 1
