"""Settings."""

from __future__ import annotations

import pytest

from services.ground.errors import SettingsRefused
from services.ground.settings import Settings, load_settings


def test_every_setting_says_what_it_is_for() -> None:
    silent = [name for name, field in Settings.model_fields.items() if not field.description and name != "log_level"]
    assert silent == []


def test_a_wrong_setting_is_named_and_its_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONWARD_PARTITIONS", "secret-and-wrong")
    with pytest.raises(SettingsRefused) as refused:
        load_settings()
    assert "ONWARD_PARTITIONS" in str(refused.value)
    assert "secret-and-wrong" not in str(refused.value)


def test_the_database_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONWARD_DATABASE_URL", "postgresql://onward:hunter2@db/onward")
    assert "hunter2" not in repr(load_settings())


def test_what_needs_a_justification_is_said_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().justification_required == frozenset()
    monkeypatch.setenv("ONWARD_JUSTIFICATION_REQUIRED", "consult, disclose")
    assert load_settings().justification_required == {"consult", "disclose"}
    monkeypatch.setenv("ONWARD_JUSTIFICATION_REQUIRED", "consult,collect")
    with pytest.raises(SettingsRefused, match="ONWARD_JUSTIFICATION_REQUIRED"):
        load_settings()
