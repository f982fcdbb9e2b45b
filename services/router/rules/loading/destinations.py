"""`destinations.yaml` into destinations: who they are, whom they take, what they may read, how soon to answer."""

from __future__ import annotations

import re
from itertools import starmap
from typing import Final, Literal

from schemas.base import SLUG_PATTERN, SOURCE_ID_PATTERN
from schemas.progress import ProgressReported
from schemas.referral import ReferralSubmitted
from schemas.risk import RiskReported
from services.router.rules.directory import ServiceStatus
from services.router.rules.due import Due
from services.router.rules.fields import NoSuchField, shape_of
from services.router.rules.loading.alternatives import check_alternatives, read_capacity
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.tree import Mapping, Node, Scalar
from services.router.rules.mistakes import did_you_mean
from services.router.rules.ruleset import FIRST_CONTACT_WITHIN, Destination, SourceHears

SHAREABLE: Final = (ReferralSubmitted, RiskReported, ProgressReported)
# What never goes to a service that works with the person who harms. The answers to a risk instrument are the victim's
# own account, so they are hers as much as her name is.
NEVER_TO_THE_PERSONS_SIDE: Final = ("victim", "children", "safe_contact", "risk.answers")

NEEDED = ("label", "kind", "side", "voluntary", "consent_needed", "source", "acknowledge_within", "share", "channel")
FOR_PEOPLE = ("eligibility_description", "wait_time", "application_process")
_KEYS = (
    *NEEDED,
    "minimum_age",
    "maximum_age",
    "service_areas",
    "serves",
    "instead",
    "status",
    "capacity",
    "first_contact_within",
    "source_hears",
    *FOR_PEOPLE,
)
SOURCE_HEARS: tuple[SourceHears, ...] = ("outcome", "answer", "nothing")
_SIDES: tuple[Literal["person", "other_party", "panel"], ...] = ("person", "other_party", "panel")


def read_destinations(desk: Desk, node: Node | None) -> dict[str, Destination]:
    """The destinations by id."""
    found: dict[str, Destination] = {}
    places: dict[str, Mapping] = {}
    top = desk.mapping(node, "destinations.yaml", ("destinations",), needs=("destinations",))
    for key, value in desk.entries(top.get("destinations") if top else None, "destinations"):
        if not re.fullmatch(SLUG_PATTERN, key.text):
            desk.note(key.at, f"{key.text!r} is no name for a destination: small letters, digits and _")
        said = desk.mapping(value, key.text, _KEYS, needs=NEEDED)
        if said is not None:
            found[key.text] = _destination(desk, key.text, said)
            places[key.text] = said
    check_alternatives(desk, found, places)
    _check_sources(desk, found, places)
    return found


def _check_sources(desk: Desk, found: dict[str, Destination], places: dict[str, Mapping]) -> None:
    """What a source tells is known by it alone: one that spoke for both sides could carry what she told to his."""
    hers: dict[str, str] = {}
    for name, each in found.items():
        if each.side == "other_party" and each.source:
            hers.setdefault(each.source, name)
    for name, each in found.items():
        node = places[name].get("source")
        if each.side == "person" and each.source in hers and node is not None:
            two = f"{hers[each.source]!r} and {name!r} speak as {each.source!r} on two sides"
            desk.note(node.at, f"{two}; what one side told could not be told from the other's: name two sources")


def _destination(desk: Desk, name: str, said: Mapping) -> Destination:
    side = desk.word(said.get("side"), "side", _SIDES) or "person"
    areas = said.get("service_areas")
    serves = said.get("serves")
    return Destination(
        id=name,
        label=desk.text(said.get("label"), "label") or "",
        kind=desk.text(said.get("kind"), "kind") or "",
        side=side,
        voluntary=desk.yes_no(said.get("voluntary"), "voluntary") or False,
        consent_needed=desk.yes_no(said.get("consent_needed"), "consent_needed") or False,
        minimum_age=desk.number(said.get("minimum_age"), "minimum_age", 0, 130),
        maximum_age=desk.number(said.get("maximum_age"), "maximum_age", 0, 130),
        service_areas=None if areas is None else _texts(desk, areas, "service_areas"),
        source=_source(desk, said.get("source")),
        acknowledge_within=desk.due(said.get("acknowledge_within"), "acknowledge_within") or Due(hours=24),
        share=_share(desk, said.get("share"), side),
        channel=desk.word(said.get("channel"), "channel", _CHANNELS) or "queue",
        first_contact_within=desk.due(said.get("first_contact_within"), "first_contact_within") or FIRST_CONTACT_WITHIN,
        source_hears=desk.word(said.get("source_hears"), "source_hears", SOURCE_HEARS) or "outcome",
        serves=desk.identifier(serves, "a kind of need") if isinstance(serves, Scalar) else name,
        instead=_named(desk, said.get("instead")),
        status=desk.word(said.get("status"), "status", ServiceStatus) or ServiceStatus.ACTIVE,
        capacity=read_capacity(desk, said.get("capacity")),
        eligibility_description=desk.text(said.get("eligibility_description"), "eligibility_description"),
        wait_time=desk.text(said.get("wait_time"), "wait_time"),
        application_process=desk.text(said.get("application_process"), "application_process"),
    )


_CHANNELS: tuple[Literal["queue"], ...] = ("queue",)


def _texts(desk: Desk, node: Node, what: str) -> tuple[str, ...]:
    said = (desk.text(item, what) for item in desk.items(node, what))
    return tuple(sorted({text for text in said if text is not None}))


def _named(desk: Desk, node: Node | None) -> tuple[str, ...]:
    """Names in the order written, which is an order of preference; whether they are right is looked at later."""
    return tuple(item.text for item in desk.items(node, "instead") if isinstance(item, Scalar))


def _source(desk: Desk, node: Node | None) -> str:
    said = desk.text(node, "source")
    if node is not None and said is not None and not re.fullmatch(SOURCE_ID_PATTERN, said):
        desk.note(node.at, f"{said!r} is no id of a source: small letters, digits and inner hyphens")
    return said or ""


def _share(desk: Desk, node: Node | None, side: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for item in desk.items(node, "share"):
        if not isinstance(item, Scalar):
            desk.note(item.at, "share is a list of fields such as person.name")
        elif item.text in found:
            desk.note(item.at, f"{item.text!r} stands here twice")
        else:
            found[item.text] = None
            _check_path(desk, item, side)
    return tuple(sorted(found))


def _check_path(desk: Desk, item: Scalar, side: str) -> None:
    hers = next((path for path in NEVER_TO_THE_PERSONS_SIDE if _overlap(item.text, path)), None)
    if side == "person" and hers is not None:
        about = "" if item.text == hers else f" (it covers or lies in {hers!r})"
        desk.note(item.at, f"{item.text!r} may not go to a destination on the person's side{about}")
        return
    missing = []
    for payload in SHAREABLE:
        try:
            shape_of(payload, item.text, through="fields")
        except NoSuchField as error:
            missing.append((error.step, error.names))
        else:
            return
    near = next(filter(None, starmap(did_you_mean, missing)), "")
    desk.note(item.at, f"no event has a field {item.text!r}{near}")


def _overlap(path: str, hers: str) -> bool:
    """Is one the other, below it or above it? A safe contact is hers wherever it stands."""
    return f"{path}.".startswith(f"{hers}.") or f"{hers}.".startswith(f"{path}.") or "safe_contact" in path.split(".")
