"""A pathway that would trap or lose a leg is refused, with file, line, column and the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.router.rules.small_rule_set import FILES, mistakes_in

PATHWAY = FILES["pathway.yaml"]


def _line(text: str) -> int:
    """The line of this text in the file that ships."""
    return PATHWAY[: PATHWAY.index(text)].count("\n") + 1


REOPENING = "- from: [declined, no_capacity, programme_complete"
OPEN = PATHWAY.split("- from: on_hold\n  to: ")[1].split("]")[0] + "]"
CLOSED = ("declined", "no_capacity", "programme_complete", "not_eligible", "not_suitable", "deselected", "withdrawn")

# What is changed in the file, and the one mistake that it must be refused for.
BROKEN = {
    "a status that does not exist": (
        ("  sent:        ", "  snet:        "),
        [
            f"{_line('  sent:')}:3: 'snet' is not a value of a status; did you mean 'sent'?",
            "12:3: statuses needs 'sent'",
        ],
    ),
    "a status without a label": (("{label: Paused, hold: yes}", "{hold: yes}"), ["on_hold needs 'label'"]),
    "a key that no status has": (("label: Paused, hold: yes", "label: Paused, held: yes"), ["did you mean 'hold'?"]),
    "closed and a hold at once": (
        ("label: Paused, hold: yes", "label: Paused, hold: yes, closed: yes"),
        [f"{_line('  on_hold:')}:3: on_hold is one of closed, hold and release at most"],
    ),
    "paperwork of an open leg": (
        ("label: Paused, hold: yes", "label: Paused, hold: yes, administration: yes"),
        ["administration is what remains of a leg that ended, and on_hold is open"],
    ),
    "a beginning that is off": (
        ("label: Requested, release: yes", "label: Requested, release: yes, court_ordered: yes"),
        ["every leg begins as requested: it is open, and always there"],
    ),
    "implications in a circle": (
        ("label: Requested, release: yes", "label: Requested, release: yes, implies: sent"),
        ["what statuses imply goes in a circle: requested -> sent -> requested"],
    ),
    "a transition to nowhere": (
        ("- {from: requested, to: sent", "- {from: [requested, sent], to: sent"),
        [f"{_line('- {from: requested')}:3: sent -> sent goes nowhere"],
    ),
    "a transition said twice": (
        ("- {from: [requested, sent], to: ack", "- {from: requested, to: sent, who: human}\n- {from: sent, to: ack"),
        [f"requested -> sent stands here twice (first in line {_line('- {from: requested, to: sent')})"],
    ),
    "a transition from a misspelt status": (
        ("- {from: requested, to: sent", "- {from: requestd, to: sent"),
        ["'requestd' is not a value of from; did you mean 'requested'?"],
    ),
    "somebody who moves no legs": (
        ("to: sent, who: casework", "to: sent, who: case_work"),
        ["did you mean 'casework'?"],
    ),
    "a need that nobody knows": (("needs: [reason, note]", "needs: [reason, notes]"), ["did you mean 'note'?"]),
    "a timer that closes": (
        ("to: deselected, who: human", "to: deselected, who: [casework, human]"),
        ["scheduled -> deselected: casework closes nothing; a destination or a human does"],
    ),
    "a destination that reopens": (
        ("to: [requested, awaiting_assessment, on_programme]\n  who: human", "to: requested\n  who: destination"),
        [f"{status} -> requested: a closed leg is reopened by a human alone, with a reason" for status in CLOSED],
    ),
    "a hold that ends in another wait": (
        ("on_programme:           {label: On the programme, release: yes", "on_programme: {label: On the programme"),
        ["on_hold -> on_programme: a hold ends in a status that releases it, and on_programme does not"],
    ),
    "an end without a way back": (
        (f"{REOPENING}, not_eligible,", f"{REOPENING},"),
        [f"{_line('  not_eligible: ')}:3: not_eligible is closed and cannot be reopened"],
    ),
    "a hold without a way out": (
        (f"- from: on_hold\n  to: {OPEN}", "- from: on_hold\n  to: deferred"),
        [f"{_line('  on_hold:')}:3: on_hold is a hold without a way out"],
    ),
    "a status that no leg can reach": (
        ("- {from: requested, to: sent, who: casework}\n", ""),
        [f"{_line('  sent:')}:3: no leg can reach sent"],
    ),
    "a court that nobody is sent to": (
        ("- {from: on_programme, to: breach_non_attendance, who: human, needs: reason}\n", ""),
        [f"{_line('  breach_non_attendance:')}:3: no leg can reach breach_non_attendance"],
    ),
    "a reason in two categories": (
        ("    moved_away:  ", "    custody: {label: In custody}\n    moved_away:  "),
        ["'custody' is a reason of category personal already"],
    ),
    "a category that does not exist": (("  motivation:\n", "  motivations:\n"), ["did you mean 'motivation'?"]),
    "a reason that is no name": (("    duplicate:  ", "    Duplicate:  "), ["'Duplicate' is no name for a reason"]),
    "no word on courts": (("court_ordered: no\n\n", "\n"), ["pathway.yaml needs 'court_ordered'"]),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_pathway_is_refused_for(tmp_path: Path, what: str) -> None:
    (old, new), expected = BROKEN[what]
    assert old in PATHWAY
    mistakes = mistakes_in(tmp_path, {"pathway.yaml": PATHWAY.replace(old, new, 1)})
    assert all(mistake.startswith("pathway.yaml:") for mistake in mistakes), mistakes
    for said in expected:
        assert [mistake for mistake in mistakes if said in mistake], (said, mistakes)


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    broken = PATHWAY.replace("hold: yes", "held: yes").replace("to: sent, who: casework", "to: snt, who: nobody")
    mistakes = mistakes_in(tmp_path, {"pathway.yaml": broken.replace("{label: Died}", "{lable: Died}")})
    assert len(mistakes) == 4 + 2 + 2


def test_a_rule_set_without_a_pathway_is_refused(tmp_path: Path) -> None:
    assert mistakes_in(tmp_path, {"pathway.yaml": None}) == ["pathway.yaml:1:1: this file is missing"]
