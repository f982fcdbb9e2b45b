"""Where every service's tables are gathered; one service owns and writes each."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData()
