"""Every setting, once, with what it is for. Read from the environment (`ONWARD_<NAME>`) or a `.env` file."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.ground.errors import SettingsRefused

REPOSITORY = Path(__file__).resolve().parents[2]


def _number(value: object) -> object:
    """The environment holds text, and a Literal of numbers takes none."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _listed(value: object) -> object:
    """What is separated by commas."""
    return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value


def _words(value: object) -> object:
    """Words with commas between them, as the environment holds them."""
    return frozenset(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


class Settings(BaseSettings):
    """All of Onward's settings. The defaults run the whole system on one machine with nothing installed."""

    model_config = SettingsConfigDict(env_prefix="ONWARD_", env_file=".env", extra="ignore", frozen=True)

    data_dir: Path = Field(Path(".onward"), description="Where the embedded database and broker keep their files.")
    database_url: SecretStr | None = Field(
        None, description="postgresql://user:password@host:port/name; without it SQLite in `data_dir`."
    )
    nats_url: str | None = Field(
        None, description="nats://host:port, several with commas; without it a nats-server runs as a child process."
    )
    nats_replicas: Annotated[Literal[1, 3, 5], BeforeValidator(_number)] = Field(
        1, description="Copies of each stream; 3 needs a cluster of three."
    )
    nats_sync: str = Field(
        "always",
        description="sync_interval of the child nats-server. Anything but `always` can lose accepted messages.",
    )
    rules_dir: Path = Field(
        REPOSITORY / "rulesets" / "default", description="The rule set that a new system begins with."
    )
    organisation: str = Field("onward", description="Who operates this system, as audit entries name it.")
    decision_sources: Annotated[frozenset[str], NoDecode, BeforeValidator(_words)] = Field(
        frozenset({"onward-console"}),
        description="The sources that may send humans' decisions, with a comma: what they say of who decides, and in "
        "which role, counts.",
    )
    instance: str = Field(
        default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}",
        description="This process's name, host:pid by default; two processes never share one.",
    )
    partitions: PositiveInt = Field(
        8,
        le=256,
        description="Partitions that persons are spread over. Fixed once streams exist: migrate refuses another.",
    )

    batch_size: PositiveInt = Field(256, le=1000, description="Most messages one transaction takes.")
    window: PositiveInt = Field(1024, description="Messages that one process asks for ahead of their handling.")
    overlap: PositiveInt = Field(
        3, description="Most batches that are committed but not yet published and acknowledged."
    )
    max_message_bytes: PositiveInt = Field(256 * 1024, description="Larger messages are quarantined unparsed.")
    max_attempts: PositiveInt = Field(
        8, description="Failures of one message, counted in the store, before quarantine."
    )
    redelivery_seconds: tuple[PositiveFloat, ...] = Field(
        (10, 30, 60, 300, 600), description="Waits before an unacknowledged message is delivered again."
    )
    duplicate_window_seconds: PositiveFloat = Field(
        3600, description="How long the broker drops a repeated message id."
    )
    stream_max_age_days: PositiveFloat = Field(
        90, description="How long the broker keeps messages; the store keeps all."
    )
    stream_max_bytes: int = Field(
        -1, description="Size at which a stream refuses new messages (it never evicts); -1 for the disk's own limit."
    )

    retention_messages_days: PositiveFloat = Field(
        365, description="Messages as they came are let go of so long after, once they were decided on."
    )
    retention_refused_days: PositiveFloat = Field(
        365, description="Messages that were set aside and that nobody mended are let go of after so long."
    )
    retention_sent_days: PositiveFloat = Field(
        365,
        description="Copies of what was sent and taken are let go of after so long; never before the broker does.",
    )
    retention_case_years: PositiveFloat = Field(
        10, description="So long after the last word of a closed case a human is asked whether it is disposed of."
    )
    retention_seconds: PositiveFloat = Field(3600, description="How often it is looked what is over its time.")

    connect_seconds: PositiveFloat = Field(
        10, description="A broker or database that does not answer by then is an error."
    )
    publish_seconds: PositiveFloat = Field(5, description="A publish unconfirmed by then is left to the relay.")
    lease_seconds: PositiveFloat = Field(5, description="A partition's owner that is silent this long loses it.")
    sweep_seconds: PositiveFloat = Field(10, description="Outbox rows unsent for this long are published again.")
    reconcile_seconds: PositiveFloat = Field(300, description="Sent rows that nobody took by then are published again.")
    flush_seconds: PositiveFloat = Field(
        0.5, description="What was published is noted as sent after this long where no transaction comes along."
    )
    append_seconds: PositiveFloat = Field(
        0.2, description="How often what was entered is appended to the audit log and given out on the queue."
    )
    timer_seconds: PositiveFloat = Field(1.0, description="How often it is looked whether a timer has fallen due.")
    drain_seconds: PositiveFloat = Field(10, description="Time to finish what is in hand when told to stop.")

    log_origin: str = Field(
        "onward/audit",
        pattern=r"^[^\s+]+$",
        description="The audit log's name in its checkpoints, like log.example.org/onward. Fixed once the key is made.",
    )
    log_key_file: Path | None = Field(
        None,
        description="The key that signs the audit log, not in the database: `data_dir`/keys/log.key. Copy it safely.",
    )
    log_dir: Path | None = Field(
        None, description="Where the audit log is published as files for anybody to verify: `data_dir`/log."
    )
    log_key_overlap_days: PositiveFloat = Field(
        30, description="After its rotation the audit log's old key signs beside the new one for this long."
    )
    checkpoint_seconds: PositiveFloat = Field(
        1.0, description="How often the audit log is signed and published, if it has grown."
    )
    witnesses: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = Field(
        (),
        description="Who cosigns the audit log's checkpoints: an address and a verifier key each, with commas between.",
    )
    justification_required: Annotated[frozenset[Literal["consult", "disclose"]], NoDecode, BeforeValidator(_words)] = (
        Field(
            frozenset(),
            description="Operations that need a justification: consult, disclose, with a comma. The law asks "
            "for none since DUAA 2025 s.82; a controller may keep to it.",
        )
    )

    controller: str | None = Field(
        None,
        description="Who answers for the data and how to reach them, as a person who asks for theirs is told.",
    )

    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: console on a terminal, else JSON."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def sqlite_file(self) -> Path:
        """The embedded database, when no `database_url` is given."""
        return self.data_dir / "onward.db"

    @property
    def keys_file(self) -> Path:
        """The keys of the embedded database's persons: apart, so that each has backups of its own."""
        return self.data_dir / "keys.db"

    @property
    def log_key(self) -> Path:
        """The file of the key that signs the audit log."""
        return self.log_key_file or self.data_dir / "keys" / "log.key"

    @property
    def log_folder(self) -> Path:
        """Where the audit log is published."""
        return self.log_dir or self.data_dir / "log"


def load_settings() -> Settings:
    """The settings of this process's environment.

    Raises SettingsRefused naming each wrong variable and what it should be, never its value.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsRefused(
            [(f"ONWARD_{str(e['loc'][0]).upper()}", e["msg"]) for e in error.errors(include_input=False)]
        ) from None
