"""What a benchmark found: absolute figures, and ratios beside their targets. Nothing here judges by time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Literal


class WrongResult(Exception):
    """A side did not do its work: messages lost, doubled or left over. The only failure of a benchmark."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number: the median of its repeats, and the repeats."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Two figures of one run, and what their ratio should be."""

    name: str
    value: float
    wanted: Literal["at least", "at most"]
    target: float

    @property
    def met(self) -> bool:
        """Whether the target is reached here and now."""
        return self.value >= self.target if self.wanted == "at least" else self.value <= self.target


@dataclass
class Report:
    """All that one benchmark has to say."""

    name: str
    figures: list[Figure] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def figure(self, name: str, unit: str, values: Sequence[float]) -> float:
        """Note a figure. Returns its median."""
        found = Figure(name, unit, tuple(values))
        self.figures.append(found)
        return found.median

    def ratio(
        self, name: str, of: Sequence[float], to: Sequence[float], wanted: Literal["at least", "at most"], target: float
    ) -> None:
        """Note the median of the ratios repeat by repeat: both sides of a repeat saw the same machine."""
        pairs = [one / other for one, other in zip(of, to, strict=True)]
        self.ratios.append(Ratio(name, median(pairs), wanted, target))

    def text(self) -> str:
        """For people."""
        lines = [f"== {self.name}"]
        for figure in self.figures:
            runs = ", ".join(f"{value:,.4g}" for value in figure.values)
            lines.append(f"  {figure.name:<66} {figure.median:>10,.1f} {figure.unit:<5} [{runs}]")
        for ratio in self.ratios:
            verdict = "reached" if ratio.met else "missed"
            lines.append(f"  {ratio.name:<66} {ratio.value:>10.2f}x {ratio.wanted} {ratio.target:g}x: {verdict}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def to_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "name": self.name,
            "figures": [asdict(figure) | {"median": figure.median} for figure in self.figures],
            "ratios": [asdict(ratio) | {"met": ratio.met} for ratio in self.ratios],
            "notes": self.notes,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
