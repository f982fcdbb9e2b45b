"""Wires the router: its rule set is loaded and checked before it takes anything."""

from __future__ import annotations

from functools import partial

from services.ground.handler import Chore
from services.ground.service import Service
from services.ground.world import World
from services.router.handlers import RouterHandler
from services.router.rules.loader import load_rule_set
from services.router.timers import fire_again, fire_due


def router(world: World) -> Service:
    """The service that decides. Raises RuleSetRefused with every mistake of the rule set."""
    rules = load_rule_set(world.settings.rules_dir)
    lost_after = world.settings.reconcile_seconds
    chores = [
        Chore("fire_timers", world.settings.timer_seconds, fire_due),
        Chore("fire_timers_again", lost_after, partial(fire_again, after_seconds=lost_after)),
    ]
    return Service(RouterHandler(lambda: rules, world.settings), world, chores=chores)
