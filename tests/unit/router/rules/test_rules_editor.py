"""What editors are told: the shipped files are right by it, and a slip in one is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jsonschema import Draft202012Validator

from services.ground.settings import Settings
from services.router.rules.editor import schemas_for
from services.router.rules.language import Json
from services.router.rules.loader import load_rule_set, read_file
from services.router.rules.loading.desk import Desk
from services.router.rules.loading.examples import plain
from services.router.rules.vocabulary import vocabulary

FOLDER = Settings().rules_dir
RULES = load_rule_set(FOLDER)
SCHEMAS = schemas_for(RULES)
FILES = [(glob, path) for glob in SCHEMAS for path in sorted(FOLDER.glob(glob))]


def wrong(glob: str, said: Json) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMAS[glob]).iter_errors(said)]


def rule(**changed: Json) -> Json:
    one: dict[str, Json] = {
        "id": "some",
        "because": "Some.",
        "when": {"event": "referral"},
        "then": [{"route": "dapp", "priority": 2}],
    }
    return {"rules": [{**one, **changed}]}


@pytest.mark.parametrize(("glob", "path"), FILES, ids=lambda each: getattr(each, "name", each))
def test_the_shipped_files_are_right(glob: str, path: object) -> None:
    file = FOLDER / str(path)
    tree = read_file(file.read_bytes(), file.name, Desk())
    assert tree is not None
    assert wrong(glob, plain(tree)) == []


def test_every_file_of_a_rule_set_has_a_schema() -> None:
    assert {path for _, path in FILES} == set(FOLDER.rglob("*.yaml"))


def mistakes() -> Iterator[tuple[str, Json]]:
    yield "a fact that is none", rule(when={"relapse_28d": 2})
    yield "a value that is none", rule(when={"event": "relapsed"})
    yield "a number out of its range", rule(when={"age": {"at_least": 999}})
    yield "an operator of another type", rule(when={"weapons": {"at_least": 1}})
    yield "a term that is none", rule(when={"term": "on_dap"})
    yield "an empty condition", rule(when={})
    yield "a destination that is none", rule(then=[{"route": "dap", "priority": 2}])
    yield "a route without a priority", rule(then=[{"route": "dapp"}])
    yield "two actions in one", rule(then=[{"route": "dapp", "priority": 2, "hold": "Some."}])
    yield "a due time that is none", rule(then=[{"route": "dapp", "priority": 2, "due": "soon"}])
    yield "a role that is none", rule(then=[{"escalate": "boss"}])
    yield "a word that is none", rule(becuase="Some.")


def promise(**changed: Json) -> Json:
    one: dict[str, Json] = {"id": "some", "because": "Some.", "given": {"event": "referral"}, "then": {"hold": "yes"}}
    return {"always": [{**one, **changed}]}


def example(**changed: Json) -> Json:
    one: dict[str, Json] = {"name": "Some", "facts": {"event": "referral"}, "expect": {"holds": "referral-under-18"}}
    return {"examples": [{**one, **changed}]}


def slips_in_outcomes() -> Iterator[tuple[str, str, Json]]:
    invariants, examples = "invariants.yaml", "examples/*.yaml"
    yield "given a fact that is none", invariants, promise(given={"evnt": "referral"})
    yield "a deed that is none", invariants, promise(then={"rout": "dapp"})
    yield "a destination that is none", invariants, promise(then={"route": "dap"})
    yield "a destination chosen by nothing", invariants, promise(then={"route": {}})
    yield "a tier that is none", invariants, promise(then={"route": "dapp", "tier": "flor"})
    yield "two deeds in one", invariants, promise(then={"route": "dapp", "hold": "yes"})
    yield "a role that is none", invariants, promise(then=[{"any": [{"escalate": "boss"}]}])
    yield "no then", invariants, {"always": [{"id": "some", "because": "Some."}]}
    yield "neither always nor never", invariants, {"sometimes": []}
    yield "an outcome that is none", examples, example(expect={"route": {"dapp": 2}})
    yield "a priority that is none", examples, example(expect={"routes": {"dapp": 5}})
    yield "a rule that is none", examples, example(expect={"holds": "under-18"})
    yield "a fact that is none", examples, example(facts={"event": "referral", "ages": 2})
    yield "a value that is none", examples, example(facts={"event": "referral", "consent": "perhaps"})
    yield "facts and a message", examples, example(risk={})


@pytest.mark.parametrize(
    ("glob", "said"), [pytest.param(glob, said, id=f"{glob}: {name}") for name, glob, said in slips_in_outcomes()]
)
def test_a_slip_in_a_promise_or_an_example_is_seen_while_one_writes(glob: str, said: Json) -> None:
    assert wrong("invariants.yaml", promise()) == []
    assert wrong("examples/*.yaml", example()) == []
    assert wrong(glob, said)


@pytest.mark.parametrize("said", [pytest.param(said, id=name) for name, said in mistakes()])
def test_a_slip_is_seen_while_one_writes(said: Json) -> None:
    assert wrong("rules/*.yaml", rule()) == []
    assert wrong("rules/*.yaml", said)


def test_the_vocabulary_names_all_that_rules_can_be_written_with() -> None:
    found = vocabulary(RULES)
    assert {fact["name"] for fact in found["facts"]} == set(RULES.facts)
    assert {term["name"] for term in found["terms"]} == set(RULES.terms)
    assert {one["name"] for one in found["destinations"]} == set(RULES.destinations)
    assert all(action["does"] for action in found["actions"])
