"""The router's tables, and the questions that it asks of them. History tables are only ever added to."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from services.ground.database import metadata
from services.ground.sealing import Sealed
from services.ground.tables import Moment

cases = Table(  # one row a person
    "cases",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("opened_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("referral_event", Text),  # the newest referral
    Column("lawful_basis", Text),  # that it states: why what is known of them may be shared
    Column("remembered", Sealed("json"), nullable=False),  # facts that hold until somebody says otherwise
    Column("merged_into", Text),  # whose case this one is part of, as a human said; its own rows stay its own
    Column("joined", JSON(none_as_null=True)),  # the persons whose rows are part of this case
)

case_events = Table(  # everything that happened to a person, as accepted
    "case_events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # an EventKind
    Column("occurred_at", Moment, nullable=False),
    Column("taken_at", Moment, nullable=False),
    Column("source", Text, nullable=False),
    Column("origin_id", Text, nullable=False),  # the source's own id
    Column("content", Sealed("bytes"), nullable=False),  # the event's data, JSON
)
Index("case_events_of_person", case_events.c.person_id, case_events.c.occurred_at)

decisions = Table(  # what the rules said of an event, with the facts as they were then
    "decisions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("decided_at", Moment, nullable=False),
    Column("rule_set", Text, nullable=False),  # digest
    Column("facts", Sealed("json"), nullable=False),
    Column("said", Sealed("json"), nullable=False),  # actions, matched rules with their tests, unknowns
    Column("first_decision", Text),  # of the same event, where a human's answer had it decided again
    Column("again_because", Text),  # the event by which the human answered
)
Index("decisions_of_event", decisions.c.event_id)

legs = Table(
    "legs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("due_at", Moment),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("commands", Integer, nullable=False),  # sent to the destination so far
    Column("held_from", Text),
    Column("concluded_at", Moment),  # closed_at: ended; concluded_at: nothing more is to be done
    Column("reason", Text),  # a code of pathway.yaml
    Column("waitlist_place", Integer),
    Column("expected_on", Date),
    Column("referral_event", Text),  # that it stems from
    Column("account", Sealed("json")),  # what was told of it, in the order of occurrence
    Column("joined_to", Text),  # the leg to the same destination that goes on for both, of persons who are one
    Column("occasion", Text),  # the person's newest referral when it was opened
    Column("opened_by", Text),  # the event that asked for it, in whose words it was sent
    Column("reroute_of", Text),  # the leg in whose stead it was opened
    Column("told_in", JSON(none_as_null=True)),  # the events of which it was sent news since
)
Index("legs_of_person", legs.c.person_id)
Index("legs_one_open", legs.c.person_id, legs.c.destination, unique=True,
      sqlite_where=legs.c.closed_at.is_(None), postgresql_where=legs.c.closed_at.is_(None))  # fmt: skip

leg_history = Table(  # append-only
    "leg_history",
    metadata,
    Column("id", Text, primary_key=True),
    Column("leg_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("from_status", Text),
    Column("to_status", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("because", Sealed("text"), nullable=False),
    Column("by_source", Text, nullable=False),  # whose event caused it
    Column("event_id", Text, nullable=False),
    Column("decision_id", Text),
    Column("effect", Text, nullable=False),  # opened, moved, noted, conflict, corrected, ...
    Column("stage", Text, nullable=False),  # of the leg then: open, ended, concluded
    Column("said", Text),  # what was said of it
    Column("occurred_at", Moment),  # and when that happened
    Column("by_user", Text),
    Column("reason", Text),  # a code of pathway.yaml
    Column("reroute_of", Text),
)
Index("leg_history_of_leg", leg_history.c.leg_id, leg_history.c.id)

reviews = Table(  # questions to humans
    "reviews",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("question", Sealed("text"), nullable=False),
    Column("role", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("decision_id", Text),
    Column("leg_id", Text),
    Column("destination", Text),
    Column("fact", Text),
    Column("perhaps", JSON(none_as_null=True)),  # other persons, for a question of identity
    Column("moved_at", Moment),  # when it last went to another role, or came back to its own
    Column("answers", JSON(none_as_null=True)),  # the ones to choose from; none: in the human's own words
    Column("route", Sealed("json")),  # the route that waits for a word: priority, due, tier, reasons
    Column("snoozes", Integer, nullable=False),  # how often it was put off
    Column("answered_at", Moment),
    Column("answered_by", Text),
    Column("answer", Sealed("text")),
    Column("keep_until", Date),  # of a closed case that is kept: the day on which it is asked about again
)
Index("reviews_of_person", reviews.c.person_id)
Index("reviews_open", reviews.c.due_at,
      sqlite_where=reviews.c.answered_at.is_(None), postgresql_where=reviews.c.answered_at.is_(None))  # fmt: skip

human_decisions = Table(  # what each human decided, and on what they saw; append-only
    "human_decisions",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # a DecisionKind
    Column("review_id", Text),  # the question that it answers
    Column("decided_at", Moment, nullable=False),  # by the human
    Column("taken_at", Moment, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("organisation", Text, nullable=False),
    Column("reason", Sealed("text"), nullable=False),
    Column("answer", Sealed("text")),
    Column("shown", JSON, nullable=False),  # the records that were on the screen
)
Index("human_decisions_of_person", human_decisions.c.person_id)
Index("human_decisions_of_review", human_decisions.c.review_id)

offers = Table(  # pauses that were offered
    "offers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("leg_id", Text, nullable=False),
    Column("offered_at", Moment, nullable=False),
    Column("answer_by", Moment, nullable=False),
    Column("for_days", Integer, nullable=False),
    Column("welfare_check_days", Integer, nullable=False),
    Column("reason", Text, nullable=False),  # a PauseReason
    Column("event_id", Text, nullable=False),  # which never offers again
    Column("replaces", Text),  # an earlier offer on the leg that was not answered
    Column("answer", Text),  # an OfferAnswer; none yet
    Column("answered_at", Moment),
    Column("answered_by", Text),
    Column("review_id", Text),  # what a facilitator was asked when it lapsed
)
Index("offers_of_leg", offers.c.leg_id)

pauses = Table(
    "pauses",
    metadata,
    Column("id", Text, primary_key=True),
    Column("leg_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("from_date", Date, nullable=False),
    Column("until_date", Date, nullable=False),
    Column("welfare_check_days", Integer, nullable=False),  # between two checks
    Column("held_from", Text, nullable=False),
    Column("agreed_at", Moment, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("stated", Boolean, nullable=False),  # no: it has the terms of the offer until somebody states others
    Column("muted_until", Date),  # the last day without welfare checks
    Column("review_id", Text),  # the question how it goes on
    Column("ended_at", Moment),
    Column("ended", Text),  # resumed, or the status that the leg came to
)
Index("pauses_of_leg", pauses.c.leg_id)

welfare_checks = Table(  # rows are never taken away: what became of a check is written on it
    "welfare_checks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("leg_id", Text, nullable=False),
    Column("pause_id", Text, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("status", Text, nullable=False),  # a CheckStatus
    Column("next_at", Moment),  # when it goes to the next role, while somebody should be doing it
    Column("escalated_to", Text),  # the highest role that was asked
    Column("asked", JSON, nullable=False),  # the reviews that ask for it
    Column("missed_at", Moment),
    Column("outcome", Text),  # a WelfareOutcome
    Column("by_whom", Sealed("text")),
    Column("at", Moment),  # when it was done, put off, muted or dropped
    Column("reason", Sealed("text")),
    Column("instead_of", Text),  # the check that was put off
)
Index("welfare_checks_of_leg", welfare_checks.c.leg_id)

timers = Table(  # promises to look again; none is ever taken away
    "timers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("set_at", Moment, nullable=False),
    Column("leg_id", Text),
    Column("review_id", Text),
    Column("fired_at", Moment),  # when it became a message, in the same transaction; the last time, where one was lost
    Column("taken_at", Moment),  # when its event was decided
    Column("cancelled_at", Moment),  # nobody waited for it any more; before it fired, or on its way
    Column("cancelled_because", Text),
)
_waiting = timers.c.fired_at.is_(None) & timers.c.cancelled_at.is_(None)
Index("timers_due", timers.c.due_at, timers.c.id, sqlite_where=_waiting, postgresql_where=_waiting)
_on_its_way = timers.c.fired_at.is_not(None) & timers.c.taken_at.is_(None) & timers.c.cancelled_at.is_(None)
Index("timers_on_their_way", timers.c.fired_at, sqlite_where=_on_its_way, postgresql_where=_on_its_way)
Index("timers_of_person", timers.c.person_id)

capacity = Table(  # what destinations said of their places; the latest word of each counts, whenever it arrived
    "capacity",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("full_until", Moment),  # none: it takes people again
    Column("said_at", Moment, nullable=False),
    Column("event_id", Text, nullable=False),
)

rule_sets = Table(  # every version that was ever put forward, as its files were then
    "rule_sets",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("files", LargeBinary, nullable=False),  # by `rules.files.packed`
    Column("kept_at", Moment, nullable=False),
)

rule_set_steps = Table(  # who put forward, approved or put in force which version, and why; never changed
    "rule_set_steps",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("step", Text, nullable=False),  # router.versions.StepKind
    Column("at", Moment, nullable=False),
    Column("by_user", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("proposal", Text),  # the step that put it forward; none for what needed no proposal
    Column("instead_of", Text),  # the version that was in force when it was put forward
    Column("plan", JSON(none_as_null=True)),  # what was shown to those who approve
)
Index("rule_set_steps_of_set", rule_set_steps.c.digest)

rules_in_force = Table(  # one row: what routers decide by
    "rules_in_force",
    metadata,
    Column("one", Integer, primary_key=True),  # always 1
    Column("digest", Text, nullable=False),
    Column("step", Text, nullable=False),  # which put it in force
    Column("since", Moment, nullable=False),
    Column("shadow", Text),  # a version that decides beside it, and does nothing
)

shadow_decisions = Table(  # what the version beside would have decided
    "shadow_decisions",
    metadata,
    Column("decision_id", Text, primary_key=True),  # of the one that counts
    Column("rule_set", Text, nullable=False),  # the version beside
    Column("event_id", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("differs", Sealed("json")),  # {outcome: [by the rules in force, beside]}; none: it is the same
)
Index("shadow_decisions_of_set", shadow_decisions.c.rule_set)

router_rules = Table(  # what each router decides by, and why that is not what is in force
    "router_rules",
    metadata,
    Column("instance", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("refused", Text),  # a version in force that it could not load
    Column("why", Text),
    Column("since", Moment, nullable=False),
)
