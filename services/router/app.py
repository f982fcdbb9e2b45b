"""Wires the router: the rule set in force is loaded and checked before it takes anything."""

from __future__ import annotations

from services.ground.service import Service
from services.ground.world import World
from services.router.case_retention import case_retention
from services.router.handlers import RouterHandler
from services.router.in_force import RulesInForce, load_in_force
from services.router.timers import chores


async def router(world: World) -> Service:
    """The service that decides. Raises RuleSetRefused with every mistake of the rule set, and NotMigrated."""
    rules = RulesInForce(await load_in_force(world.database), world.settings.instance)
    return Service(
        RouterHandler(rules, world.settings), world, chores=[*chores(world.settings), case_retention(world.settings)]
    )
