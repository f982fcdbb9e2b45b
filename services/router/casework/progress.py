"""What a destination's word does to its leg, in whatever order its words come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Final

from schemas.progress import ProgressReported
from schemas.receipt import Problem
from schemas.refusal import Unacceptable
from schemas.vocabulary import LegStatus, ProgressKind
from services.router.casework.account import (
    BECOMES,
    PRESENCE,
    Account,
    Stand,
    Told,
    Verdict,
    fold,
    judge,
    refused,
)
from services.router.casework.act import Acting, ask
from services.router.casework.case import Case, Leg
from services.router.casework.checks import record_check
from services.router.casework.offers import offer_to_answer
from services.router.casework.pathway import TransitionRefused, check, check_code, stands
from services.router.casework.pauses import Terms, already_paused, as_offered, decline_offer, rest, restate
from services.router.casework.resting import today
from services.router.casework.steps import Effect, LegMoved, LegNoted, ReviewKind, Step, Word
from services.router.rules.pathway import Pathway

PLACE: Final = "/data/kind"

_RESTS: Final = (ProgressKind.OFFER_AGREED, ProgressKind.PAUSE_AGREED)
_STANDING: Final = frozenset({*BECOMES, *PRESENCE, ProgressKind.RESUMED})  # what says where the leg stands


def leg_of(case: Case, leg_id: str, *, reported_by: str, may_report: Mapping[str, str]) -> Leg:
    """The leg that a progress event is about. `may_report` tells each destination's source.

    Raises Unacceptable where there is no such leg, or another source speaks for it.
    """
    leg = case.legs.get(leg_id)
    if leg is None:
        raise Unacceptable("unknown_leg", [Problem(place="/data/leg_id", message="is no leg of this person")])
    if may_report.get(leg.destination) != reported_by:
        raise Unacceptable("not_their_leg", [Problem(place="/data/leg_id", message="is another destination's leg")])
    return leg


def take_progress(case: Case, leg: Leg, said: ProgressReported, acting: Acting) -> list[Step]:
    """Move the leg as its destination says. The case is changed; the steps are what to write down.

    What is so already is noted. What cannot be so beside what else is known becomes a question to a human. Raises
    Unacceptable, before it changes anything, for what no transition allows.
    """
    check_code(acting.rules.pathway, said.reason_code)
    _check_whose_it_is(leg, said, acting)
    if said.kind not in _STANDING:
        return [_noted(leg, said, said.kind.value), *_of_a_rest(case, leg, said, acting)]
    told = _told(said)
    account = leg.told
    if account.knows(told):
        _refuse_other_terms(case, leg, said)
        return [_noted(leg, said, f"{said.kind}: told again")]
    if account.at is not None and told.at < account.at:
        return _before_it_was_placed(case, leg, said, told, acting)
    account = account.with_(told)
    stand, course = fold(acting.rules.pathway, account)
    if refused(course):
        return _cannot_be(case, leg, said, told, account, acting)
    return _take(case, leg, said, (account, stand), acting)


def _check_whose_it_is(leg: Leg, said: ProgressReported, acting: Acting) -> None:
    """Raise Unacceptable where the other party's service tells that she was missed: rules would take it for him.

    They would have him called and asked why; and whether she comes is hers, and none of his case.
    """
    destination = acting.rules.destinations.get(leg.destination)
    if said.kind is ProgressKind.MISSED and destination is not None and destination.side == "other_party":
        problem = Problem(place=PLACE, message="is told of the person alone: whether the other party comes is hers")
        raise Unacceptable("not_of_the_person", [problem])


def _take(case: Case, leg: Leg, said: ProgressReported, result: tuple[Account, Stand], acting: Acting) -> list[Step]:
    """It fits with all that was told: the leg stands where the whole account leaves it."""
    pathway, (account, stand) = acting.rules.pathway, result
    after = stands(pathway, leg, stand, account, now=acting.now)
    if after.status is leg.status:
        restated = restate(case, leg, _terms(case, leg, said), acting) if _rests_again(leg, said) else []
        case.legs[leg.id] = after
        concluded = after.concluded_at is not None and not leg.concluded_at
        return [_noted(after, said, _because(said), concluded=concluded), *restated]
    terms = _terms(case, leg, said) if after.status is LegStatus.ON_HOLD and said.kind in _RESTS else None
    _check_what_is_needed(pathway, leg, stand, said, terms)
    case.legs[leg.id] = after
    steps: list[Step] = [LegMoved(leg, after, _because(said), Effect.MOVED, _word(said))]
    return steps + rest(case, after, terms, acting) if terms is not None else steps


def _refuse_other_terms(case: Case, leg: Leg, said: ProgressReported) -> None:
    """Raise Unacceptable where the same pause is told again as longer, shorter or for another reason."""
    pause = case.open_pause(leg.id)
    if pause is not None and said.pause is not None:
        agreed = (said.pause.reason, said.pause.from_date, said.pause.until_date)
        if agreed != (pause.reason, pause.from_date, pause.until_date):
            raise already_paused()


def _rests_again(leg: Leg, said: ProgressReported) -> bool:
    return leg.status is LegStatus.ON_HOLD and said.kind in _RESTS


def _terms(case: Case, leg: Leg, said: ProgressReported) -> Terms:
    """What was agreed of a pause. Raises Unacceptable where an offer was taken up that is not there."""
    if said.kind is ProgressKind.OFFER_AGREED:
        offer = offer_to_answer(case, leg)
        if said.pause is None:
            return as_offered(offer, on=today(said.occurred_at))
    assert said.pause is not None  # its model holds that
    return Terms(said.pause.reason, said.pause.from_date, said.pause.until_date)


def _check_what_is_needed(
    pathway: Pathway, leg: Leg, stand: Stand, said: ProgressReported, terms: Terms | None
) -> None:
    """Raise TransitionRefused where the table wants a reason or a note that is not there.

    Where the destination's earlier words were late the table may have no direct way; then each had its own.
    """
    if pathway.may("destination", leg.status, stand.status):
        reason = said.reason or said.reason_code or (terms.reason if terms is not None else None)
        note = said.note or said.reason
        check(pathway, leg.status, stand.status, by="destination", reason=reason, note=note, place=PLACE)


def _cannot_be(
    case: Case, leg: Leg, said: ProgressReported, told: Told, account: Account, acting: Acting
) -> list[Step]:
    """It does not fit. Where it is the newest word on an open leg its sender can mend it; else a human looks."""
    if account.told[-1] == told and not leg.closed:
        target = _would_become(leg, said.kind)
        pathway = acting.rules.pathway
        check(pathway, leg.status, target, by="destination", reason="-", note="-", place=PLACE)
        message = f"the leg is paused: resumed, or what ends it, comes before {said.kind}"
        allowed = pathway.allowed("destination", leg.status)
        raise TransitionRefused("paused", message, place=PLACE, allowed=allowed)
    return _conflict(case, leg, said, told, acting)


def _before_it_was_placed(case: Case, leg: Leg, said: ProgressReported, told: Told, acting: Acting) -> list[Step]:
    """It happened before somebody placed the leg where it stands, and they may not have known of it.

    That it ended or rests would change what they did, so a human looks again. The rest is noted.
    """
    pathway, account = acting.rules.pathway, leg.told
    verdict, _ = judge(pathway, account.base, told)
    target = BECOMES.get(said.kind)
    grave = target is not None and (pathway.statuses[target].closed or pathway.statuses[target].hold)
    if grave and verdict is not Verdict.ALREADY:
        return _conflict(case, leg, said, told, acting)
    case.legs[leg.id] = after = leg._replace(account=account.set_aside(told))
    return [_noted(after, said, f"{said.kind}: from before it was placed here")]


def _conflict(case: Case, leg: Leg, said: ProgressReported, told: Told, acting: Acting) -> list[Step]:
    """Keep that it was said, leave the leg where it stands, and ask."""
    rules = acting.rules
    case.legs[leg.id] = after = leg._replace(account=leg.told.set_aside(told))
    label = rules.destinations[leg.destination].label if leg.destination in rules.destinations else leg.destination
    stands_at = rules.pathway.statuses[leg.status].label
    tells = said.kind.value.replace("_", " ")
    question = f"{label} tells: {tells}. By all else that is known its leg stands at: {stands_at}. Which is right?"
    return [
        LegNoted(after, f"{said.kind}: cannot be so beside what is known", Effect.CONFLICT, _word(said)),
        *ask(
            acting,
            ReviewKind.CONFLICT,
            question,
            role=rules.otherwise.review.role,
            due=rules.otherwise.review.due,
            leg_id=leg.id,
            destination=leg.destination,
        ),
    ]


def _would_become(leg: Leg, kind: ProgressKind) -> LegStatus:
    return leg.held_from or LegStatus.ON_PROGRAMME if kind is ProgressKind.RESUMED else BECOMES[kind]


def _told(said: ProgressReported) -> Told:
    place = said.waitlist_place if said.kind is ProgressKind.WAITLISTED else None
    return Told(said.occurred_at.astimezone(UTC), said.kind, place, said.expected_on, said.reason_code)


def _word(said: ProgressReported) -> Word:
    return Word(said.kind.value, said.occurred_at, reason=said.reason_code)


def _because(said: ProgressReported) -> str:
    """The reason in words, or what was said; of a waiting list also the place, and when an answer may be expected."""
    more = [] if said.waitlist_place is None else [f"place {said.waitlist_place}"]
    more += [] if said.expected_on is None else [f"expected on {said.expected_on.isoformat()}"]
    return ", ".join([said.reason or said.kind.value, *more])


def _noted(leg: Leg, said: ProgressReported, because: str, *, concluded: bool = False) -> LegNoted:
    return LegNoted(leg, because, Effect.CONCLUDED if concluded else Effect.NOTED, _word(said))


def _of_a_rest(case: Case, leg: Leg, said: ProgressReported, acting: Acting) -> list[Step]:
    """What was said of an offer or a welfare check. Raises Unacceptable where no offer is there to decline."""
    if said.kind is ProgressKind.OFFER_DECLINED:
        return decline_offer(case, leg, acting)
    if said.kind is ProgressKind.WELFARE_CHECK_DONE:
        return record_check(case, leg.id, said.welfare_check, on=today(said.occurred_at), acting=acting)
    return []
