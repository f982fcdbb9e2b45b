"""The errors of the ground. Each says what, where and what to do, and carries no personal data."""

from __future__ import annotations

from collections.abc import Sequence


class OnwardError(Exception):
    """Anything that a user of the command line is told in one line, without a traceback."""


class SettingsRefused(OnwardError):
    """A setting in the environment cannot be used."""

    def __init__(self, wrong: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in wrong))


class BrokerUnreachable(OnwardError):
    """No broker answered in time."""

    def __init__(self, url: str, *, seconds: float, detail: str = "") -> None:
        super().__init__(
            f"no NATS server answered at {without_password(url)} within {seconds:g} s"
            f"{': ' + detail if detail else ''}; start it, or unset ONWARD_NATS_URL to run one as a child process"
        )


class ConnectionLost(OnwardError):
    """The broker closed a service's connection for good."""

    def __init__(self, service: str) -> None:
        super().__init__(f"the broker closed the connection of {service} for good; its log tells why. Start it again")


class StoreUnusable(OnwardError):
    """The database cannot be reached or would not keep what it is given."""


class NotMigrated(OnwardError):
    """The schema or the streams are missing or of another version."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; run `onward migrate`")


class LeaseLost(Exception):
    """Another process owns the partition now: what was begun is rolled back and left to it."""


def without_password(urls: str) -> str:
    """Addresses as they may be shown."""
    return ",".join(url.rpartition("@")[2] for url in urls.split(","))
