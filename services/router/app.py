"""Wires the router: its rule set is loaded and checked before it takes anything."""

from __future__ import annotations

from services.ground.service import Service
from services.ground.world import World
from services.router.handlers import RouterHandler
from services.router.rules.loader import load_rule_set
from services.router.timers import chores


def router(world: World) -> Service:
    """The service that decides. Raises RuleSetRefused with every mistake of the rule set."""
    rules = load_rule_set(world.settings.rules_dir)
    return Service(RouterHandler(lambda: rules, world.settings), world, chores=chores(world.settings))
