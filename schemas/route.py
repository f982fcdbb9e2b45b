"""How a leg reaches its destination: the router's command to dispatch, and what the destination reads."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.base import (
    JsonObject,
    Moment,
    OurId,
    Payload,
    RuleSetVersion,
    Sentence,
    Several,
    Slug,
    SourceId,
    Subject,
    ValidLegId,
    ValidPersonId,
)
from schemas.envelope import EventData, EventType
from schemas.vocabulary import RouteAction

Priority = Annotated[int, Field(ge=1, le=4)]  # 1 is the most urgent
Order = Annotated[int, Field(ge=1)]
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,99}$")]


class Because(Payload):
    """A rule that asked for something, and its reason in a sentence."""

    rule: RuleId
    because: Sentence


class RouteCommand(EventData):
    """The router tells dispatch to hand one leg to its destination. Internal: it holds more than may leave."""

    event_type: ClassVar[EventType] = EventType.ROUTE_COMMANDED

    command_id: OurId
    decision_id: OurId
    event_id: OurId  # the accepted event that was decided
    leg_id: ValidLegId
    person_id: ValidPersonId
    destination: Slug
    action: RouteAction
    priority: Priority
    due_at: Moment | None = None  # None: the rule sets no time
    because: Several[Because]
    rule_set: RuleSetVersion
    sequence: Order  # of the leg's commands, from 1 without a gap
    share: tuple[str, ...]  # the dotted paths that may leave; a path covers what is below it
    reports_as: SourceId  # the source by which the destination publishes its progress
    content: JsonObject  # by field name; dispatch cuts it to what the destination may read


class RoutedReferral(EventData):
    """What a destination reads of one leg: cut to its allow-list."""

    event_type: ClassVar[EventType] = EventType.REFERRAL_ROUTED

    leg_id: ValidLegId
    destination: Slug
    action: RouteAction
    priority: Priority
    due_at: Moment | None = None
    because: Several[Sentence]
    reply_to: Subject  # where the destination publishes its progress
    sequence: Order
    fields: JsonObject
