"""What is left of the erased is looked for with one look for all: it must find what looking for each would."""

from __future__ import annotations

from random import Random

from tests.support.erased import FEW, MARK, holds_any

LENGTHS = (MARK, MARK + 1, 32)


def test_a_word_is_found_wherever_it_stands_and_a_broken_one_nowhere() -> None:
    random = Random(20261130)
    for size in (0, 1, MARK, 33, 1_000, 1_001):
        for _ in range(60):
            words = [random.randbytes(random.choice(LENGTHS)) for _ in range(FEW + 1 + random.randrange(300))]
            held = bytearray(random.choice((bytes(size), random.randbytes(size))))
            word = random.choice(words)
            if size >= len(word):
                at = random.choice((0, size - len(word), random.randint(0, size - len(word))))
                held[at : at + len(word)] = word
                assert holds_any(bytes(held), words), (size, at, len(word))
                held[at + random.randrange(len(word))] ^= 1
            assert holds_any(bytes(held), words) == any(one in held for one in words)
