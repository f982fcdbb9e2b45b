"""The solver's answers: yes with an event, no, and not decided, which is never taken for either."""

from __future__ import annotations

from itertools import combinations, product

from services.router.rules.prove.circuit import FALSE, TRUE, Circuit
from services.router.rules.prove.solver import Solver


def pigeons(circuit: Circuit, number: int) -> list[int]:
    """So many pigeons in one hole fewer, each with a hole of its own: impossible, and hard to see."""
    sits = {each: circuit.variable() for each in product(range(number), range(number - 1))}
    somewhere = [circuit.some(sits[pigeon, hole] for hole in range(number - 1)) for pigeon in range(number)]
    alone = [
        circuit.some((-sits[one, hole], -sits[other, hole]))
        for hole in range(number - 1)
        for one, other in combinations(range(number), 2)
    ]
    return [*somewhere, *alone]


def test_what_takes_longer_than_there_is_time_is_not_decided() -> None:
    circuit = Circuit()
    hard = circuit.every(pigeons(circuit, 11))
    assert Solver(circuit, lambda: 0.005).can(hard) == "not decided"


def test_without_time_nothing_is_decided_but_what_needs_no_solver() -> None:
    circuit = Circuit()
    solver = Solver(circuit, lambda: 0.0)
    assert solver.can(circuit.variable()) == "not decided"
    assert solver.can(FALSE) == "no"
    assert solver.asked == 0


def test_a_yes_shows_what_makes_it_so() -> None:
    circuit = Circuit()
    one, other, third = (circuit.variable() for _ in range(3))
    circuit.holds_always(-one, other)
    solver = Solver(circuit)
    assert solver.can(one, -third) == "yes"
    shown = solver.shown((one, other, third))
    assert (shown[one], shown[other], shown[third]) == (True, True, False)
    assert solver.can(one, -other) == "no"


def test_at_most_so_many() -> None:
    circuit = Circuit()
    several = [circuit.variable() for _ in range(4)]
    solver = Solver(circuit)
    two = circuit.some(circuit.every(pair) for pair in combinations(several, 2))
    assert solver.can(two, most=(several, 2)) == "yes"
    assert solver.can(two, most=(several, 1)) == "no"


def test_of_formulas_that_clash_a_few_are_told() -> None:
    circuit = Circuit()
    one, other, third = (circuit.variable() for _ in range(3))
    assert Solver(circuit).clash(TRUE, [third, one, circuit.some((-one, other)), -other]) == [
        one,
        circuit.some((-one, other)),
        -other,
    ]


def test_equal_formulas_are_one() -> None:
    circuit = Circuit()
    one, other = circuit.variable(), circuit.variable()
    assert circuit.every((one, other)) == circuit.every((other, one, other, TRUE))
    assert circuit.some((one, other)) == -circuit.every((-one, -other))
    assert circuit.every((one, -one)) == FALSE
    assert circuit.every(()) == TRUE
    assert circuit.some(()) == FALSE
    assert circuit.differ(one, one) == FALSE
