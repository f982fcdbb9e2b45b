"""The checks, each a question about every rule, test, promise or kind of event, and a finding for each."""

from __future__ import annotations

from collections.abc import Iterator

from services.router.rules.compile import EVENT
from services.router.rules.decision import Decision
from services.router.rules.events import EventKind
from services.router.rules.explain import in_words
from services.router.rules.language import All, Position, Rule, Test, tests_of
from services.router.rules.promises import Invariant, Silent, is_so
from services.router.rules.prove.circuit import FALSE, TRUE, Formula
from services.router.rules.prove.proofs import Check, Finding, Proofs
from services.router.rules.prove.redundant import Redundancy
from services.router.rules.prove.solver import Found
from services.router.rules.prove.world import settled


def questions_in(proofs: Proofs) -> int:
    """How many findings `all_checks` gives at most; for a progress bar."""
    rules = proofs.rules.rules
    tests = sum(len(_tests(rule)) for rule in rules)
    return 2 * len(rules) + len(proofs.rules.invariants) + len(proofs.outcomes.both_ways) + tests + len(EventKind)


def all_checks(proofs: Proofs) -> Iterator[Finding]:
    """Every check of a rule set, what matters most first."""
    dead: set[str] = set()
    for finding in dead_rules(proofs):
        if finding.verdict == "found":
            dead.add(finding.subject)
        yield finding
    yield from promises(proofs)
    yield from contradictions(proofs)
    yield from redundant_rules(proofs, dead)
    yield from idle_tests(proofs, dead)
    yield from gaps(proofs)


def dead_rules(proofs: Proofs) -> Iterator[Finding]:
    """Rules that certainly hold for no event there can be."""
    for place, rule in enumerate(proofs.rules.rules):
        hit = proofs.outcomes.world.hit(place)
        answer = proofs.solver.can(hit)
        if answer == "yes":
            yield Finding("dead", "fine", rule.id, rule.at)
        elif answer == "not decided":
            yield _not_proved("dead", rule, "whether any event makes it hold")
        else:
            yield _dead(proofs, rule)


def _dead(proofs: Proofs, rule: Rule) -> Finding:
    parts = rule.when.parts if isinstance(rule.when, All) else (rule.when,)
    certain = {proofs.space.rails(part).certain: part for part in parts}
    clash = proofs.solver.clash(proofs.periods.in_force(rule), list(certain)) or []
    tests = [in_words(test) for formula in clash for test in tests_of(certain[formula])]
    says = "no event makes it hold" + (f": {' and '.join(tests)} never go together" if len(tests) > 1 else "")
    return Finding("dead", "found", rule.id, rule.at, says, others=tuple(tests))


def promises(proofs: Proofs) -> Iterator[Finding]:
    """Promises that some event breaks, or that are about no event."""
    for invariant in proofs.rules.invariants:
        about = proofs.solver.can(proofs.promised.given(invariant))
        if about == "no":
            says = "what is given can never be, so that it promises nothing"
            yield Finding("vacuous", "found", invariant.id, invariant.at, says)
            continue
        broken = proofs.promised.broken(invariant)
        answer = proofs.solver.can(broken) if about == "yes" else about
        if answer == "no":
            yield Finding("broken", "fine", invariant.id, invariant.at, invariant.because)
        elif answer == "not decided":
            says = "whether it is kept was not decided in time"
            yield Finding("broken", "not proved", invariant.id, invariant.at, says)
        else:
            yield _broken(proofs, invariant, broken)


def _broken(proofs: Proofs, invariant: Invariant, broken: Formula) -> Finding:
    def confirms(decision: Decision) -> bool:
        return not is_so(invariant.outcome, decision, proofs.rules)

    witness, decision = proofs.shown(f"the promise {invariant.id}", confirms, broken)
    return Finding("broken", "found", invariant.id, invariant.at, invariant.because, witness, decision)


def contradictions(proofs: Proofs) -> Iterator[Finding]:
    """Legs that are to rest and to go on at once: a human is asked, and rules that say so are best made clear."""
    for destination in proofs.outcomes.both_ways:
        clash = proofs.outcomes.clash(proofs.outcomes.world, destination)
        answer = proofs.solver.can(clash)
        if answer == "no":
            yield Finding("contradiction", "fine", destination)
        elif answer == "not decided":
            says = "whether a pause and a resume can meet was not decided in time"
            yield Finding("contradiction", "not proved", destination, says=says)
        else:
            question = proofs.outcomes.clash_review(destination).question

            def confirms(decision: Decision, question: str = question) -> bool:
                return any(review.question == question for review in decision.reviews)

            witness, decision = proofs.shown(f"pause and resume of {destination}", confirms, clash)
            rules = tuple(matched.rule for matched in decision.matched)
            says = f"a pause and a resume of the leg to {destination} are asked for at once"
            yield Finding("contradiction", "found", destination, None, says, witness, decision, rules)


def redundant_rules(proofs: Proofs, dead: set[str]) -> Iterator[Finding]:
    """Rules without which nothing would ever be done, held back or asked otherwise. A dead rule is no news here."""
    redundancy = Redundancy(proofs.asking, proofs.solver)
    for place, rule in enumerate(proofs.rules.rules):
        if rule.id in dead:
            continue
        answer = redundancy.matters(place)
        if answer == "yes":
            yield Finding("redundant", "fine", rule.id, rule.at)
        elif answer == "not decided":
            yield _not_proved("redundant", rule, "whether anything would change without it")
        else:
            cover = tuple(redundancy.covered_by(place) or ())
            says = "nothing would ever change without it" + (f"; it is covered by {', '.join(cover)}" if cover else "")
            yield Finding("redundant", "found", rule.id, rule.at, says, others=cover)


def idle_tests(proofs: Proofs, dead: set[str]) -> Iterator[Finding]:
    """Tests that never decide: their rule would say the same of every event if they were left out.

    Tests of the kind of event are no part of it: that only referrals tell of a pregnancy is for the reader to see.
    """
    for rule in proofs.rules.rules:
        for test in _tests(rule) if rule.id not in dead else ():
            if test.fact == EVENT:
                continue
            at, words = test.at or rule.at, in_words(test)
            answer = _decides(proofs, rule, test)
            if answer == "yes":
                yield Finding("never decides", "fine", rule.id, at, words)
            elif answer == "not decided":
                yield _not_proved("never decides", rule, f"whether {words} ever decides", at)
            else:
                yield Finding("never decides", "found", rule.id, at, f"the rule says the same without this: {words}")


def _decides(proofs: Proofs, rule: Rule, test: Test) -> Found:
    """Some event needs the test to be so, and some other needs it not to be."""
    rails, now = proofs.space.rails(rule.when), proofs.periods.in_force(rule)
    for truth in (TRUE, FALSE):
        other = settled(proofs.space, rule.when, test, truth)
        answer = proofs.solver.can(now, proofs.space.differ(rails, other))
        if answer != "yes":
            return answer
    return "yes"


def gaps(proofs: Proofs) -> Iterator[Finding]:
    """Kinds of event of which some find no rule that says what to do, so that a human has to."""
    silent = proofs.promised.silent()

    def confirms(decision: Decision) -> bool:
        return is_so(Silent(), decision, proofs.rules)

    left = {kind.value: proofs.space.is_value(EVENT, kind.value) for kind in EventKind}
    while left:  # every answer names a kind; that there is none left is one answer for all others
        answer = proofs.solver.can(proofs.space.circuit.some(left.values()), silent)
        if answer != "yes":
            break
        kind = str(proofs.witnesses.last().stated[EVENT])
        of_kind = left.pop(kind)
        proofs.solver.can(of_kind, silent)
        witness, decision = proofs.shown(f"a gap for {kind}", confirms, of_kind, silent)
        unknown = sorted({fact for each in decision.unknown for fact in each.facts})
        says = "no rule says what to do" + (f" where this is not known: {', '.join(unknown)}" if unknown else "")
        yield Finding("gap", "found", kind, None, says, witness, decision)
    for kind in left:
        if answer == "no":
            yield Finding("gap", "fine", kind)
        else:
            yield Finding("gap", "not proved", kind, says="whether rules say what to do was not decided in time")


def _tests(rule: Rule) -> list[Test]:
    """The tests of a rule; one that stands in a term which is used twice is one."""
    return list({id(test): test for test in tests_of(rule.when)}.values())


def _not_proved(check: Check, rule: Rule, what: str, at: Position | None = None) -> Finding:
    return Finding(check, "not proved", rule.id, at or rule.at, f"{what} was not decided in time")
