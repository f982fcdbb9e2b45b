"""Every table of every service, gathered on the one metadata."""

from __future__ import annotations

from services.audit import store as audit
from services.dispatch import store as dispatch
from services.ground import tables as ground
from services.ground.database import metadata
from services.intake import store as intake
from services.router import store as router

__all__ = ["audit", "dispatch", "ground", "intake", "metadata", "router"]
