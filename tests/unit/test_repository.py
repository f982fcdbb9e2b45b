"""What holds for every file of the repository, whatever is in it. Each check is shown a break that it must find."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, metadata

import pytest

from services.ground.settings import REPOSITORY

Files = Mapping[str, str]

# Built from parts, so that this file does not hold what it looks for.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
        ("gcr", "io"),
        ("conda", "anaconda", "org"),
    )
)
MACHINE_PATH = re.compile(r"(?<![\w.~}])/(?:" + "|".join(("work", "root", "home", "Users")) + r")/[\w.]")
LOCKED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==\S+((?: ; [^\\\n]+)?)((?: \\\n +--hash=sha256:[0-9a-f]{64})*)$")
COPYLEFT = re.compile(r"(?<!L)GPL|Affero|(?<!Lesser )General Public", re.IGNORECASE)
SHORT = 200  # characters; a longer License field is the licence's own text, which may speak of other licences


def tracked_files() -> dict[str, str]:
    """Every file that is, or is about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = sorted(set(listed.stdout.decode().split("\0")) - {""})
    paths = [(name, REPOSITORY / name) for name in names]
    return {name: path.read_text(errors="replace") for name, path in paths if path.is_file()}


def registries_named(files: Files) -> list[str]:
    """Files that name a host that packages are fetched from: an installation decides that, not we."""
    return [f"{name} names {host}" for name, text in files.items() for host in REGISTRIES if host in text]


def machine_paths(files: Files) -> list[str]:
    """Files that name a path of somebody's machine."""
    return [f"{name} has {found[0]}" for name, text in files.items() if (found := MACHINE_PATH.search(text))]


def loose_locks(files: Files) -> list[str]:
    """Lines of lock files that would install something that no hash vouches for, or from a place of their own."""
    wrong = []
    for name, text in files.items():
        if not name.endswith(".lock"):
            continue
        wrong += [f"{name} has {word}" for word in ("index-url", "find-links", "://", "-e ", "git+") if word in text]
        for entry in re.split(r"\n(?=\S)", text.strip()):
            found = LOCKED.match(entry)
            if found is None or not found[3]:
                wrong.append(f"{name}: {entry.splitlines()[0]} is not pinned with a hash")
    return wrong


def copyleft_licences(licences: Mapping[str, str]) -> list[str]:
    """Packages whose every licence is of the GPL's kind; the LGPL is not, nor is what may be taken under another."""
    return [
        f"{package}: {licence}"
        for package, licence in licences.items()
        if all(COPYLEFT.search(choice) for choice in re.split(r"\bOR\b", licence))
    ]


def missing_commands(files: Files) -> list[str]:
    """What a newcomer or CI would not find."""
    readme, ci = files.get("README.md", ""), files.get(".ci/run", "")
    wrong = [f"README does not show {command}" for command in ("make demo", "make test") if command not in readme]
    lines = [line.strip() for line in ci.splitlines()]
    wrong += [f".ci/run does not run {command}" for command in ("make test", "make check") if command not in lines]
    if "set -euo pipefail" not in lines:
        wrong.append(".ci/run goes on after a failure")
    targets = re.findall(r"^([a-z]+):", files.get("Makefile", ""), re.MULTILINE)
    shown = re.findall(r"^\s*(?:\$ )?make ([a-z]+)", readme + "\n" + ci, re.MULTILINE)
    return wrong + [f"there is no `make {target}`" for target in shown if target not in targets]


def run_time_licences() -> dict[str, str]:
    """The licence of each package that the run lock installs here."""
    licences = {}
    for name in re.findall(
        r"^([a-z0-9][a-z0-9._-]*)==", (REPOSITORY / "requirements/run.lock").read_text(), re.MULTILINE
    ):
        try:
            told = metadata(name)
        except PackageNotFoundError:
            continue  # of another platform
        classifiers = [c for c in told.get_all("Classifier") or [] if c.startswith("License :: OSI Approved :: ")]
        short = [text for text in told.get_all("License") or [] if len(text) <= SHORT]
        licences[name] = " OR ".join(told.get_all("License-Expression") or classifiers or short)
    return licences


def test_no_file_names_a_registry() -> None:
    assert registries_named(tracked_files()) == []


def test_no_file_names_a_path_of_a_machine() -> None:
    assert machine_paths(tracked_files()) == []


def test_every_locked_package_has_hashes_and_no_address() -> None:
    files = tracked_files()
    assert {"requirements/run.lock", "requirements/dev.lock"} <= set(files)
    assert loose_locks(files) == []


def test_what_runs_is_a_part_of_what_is_tested() -> None:
    run, dev = ((REPOSITORY / f"requirements/{name}.lock").read_text() for name in ("run", "dev"))
    pins = re.compile(r"^[a-z0-9][a-z0-9._-]*==[^ \n]+", re.MULTILINE)
    assert set(pins.findall(run)) <= set(pins.findall(dev))


def test_nothing_at_run_time_is_under_the_gpl_or_agpl() -> None:
    licences = run_time_licences()
    assert len(licences) > 20
    assert [name for name, licence in licences.items() if not licence] == [], "every licence is known"
    assert copyleft_licences(licences) == []


def test_the_readme_shows_the_commands_and_ci_runs_them() -> None:
    assert missing_commands(tracked_files()) == []
    assert (REPOSITORY / ".ci" / "run").stat().st_mode & 0o111


PACKAGE = "nats-py==2.16.0 \\\n    --hash=sha256:" + "0" * 64
READY = {
    "README.md": "make demo\nmake test",
    ".ci/run": "set -euo pipefail\nmake test\nmake check",
    "Makefile": "demo: x\ntest: x\ncheck: x",
}


@pytest.mark.parametrize(
    ("check", "files", "found"),
    [
        (registries_named, {"a.toml": "https:" + "//files." + REGISTRIES[1] + "/x"}, f"a.toml names {REGISTRIES[1]}"),
        (machine_paths, {"a.md": "see " + "/" + "home/ops/x"}, "a.md has "),
        (machine_paths, {"a.py": 'open("' + "/" + 'root/x")'}, "a.py has "),
        (loose_locks, {"run.lock": PACKAGE + "\nnats-py==2.16.0"}, "run.lock: nats-py==2.16.0 is not pinned"),
        (loose_locks, {"run.lock": "nats-py>=2 \\\n    --hash=sha256:" + "0" * 64}, "is not pinned"),
        (loose_locks, {"run.lock": "--index-url x\n" + PACKAGE}, "run.lock has index-url"),
        (loose_locks, {"run.lock": PACKAGE[:-1]}, "is not pinned"),
        (missing_commands, READY | {"README.md": "make demo"}, "README does not show make test"),
        (missing_commands, READY | {".ci/run": "make test || true\nmake check"}, ".ci/run does not run make test"),
        (missing_commands, READY | {".ci/run": "make test\nmake check"}, "goes on after a failure"),
        (missing_commands, READY | {"Makefile": "demo: x\ncheck: x"}, "there is no `make test`"),
    ],
)
def test_a_break_is_found(check: Callable[[Files], list[str]], files: Files, found: str) -> None:
    assert any(found in line for line in check(files)), check(files)


@pytest.mark.parametrize(
    ("licence", "refused"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0-only", True),
        ("License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("License :: OSI Approved :: GNU General Public License v2 (GPLv2)", True),
        ("LGPL-3.0-only", False),
        ("MIT OR GPL-2.0-only", False),
        ("MPL-2.0", False),
    ],
)
def test_copyleft_is_told_from_what_may_be_used(licence: str, refused: bool) -> None:
    assert bool(copyleft_licences({"package": licence})) is refused


def test_locks_and_commands_that_are_right_pass() -> None:
    assert loose_locks({"run.lock": f"{PACKAGE}\n{PACKAGE}\n"}) == []
    assert missing_commands(READY) == []
