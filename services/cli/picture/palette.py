"""The colours of a picture. Each pair that carries words is at least 4.5 to 1; a test works it out."""

from __future__ import annotations

from typing import Final

PAPER: Final = "#ffffff"
FUTURE: Final = "#f3f4f6"

TONES: Final = {  # of words
    "ink": "#1b1f24",
    "muted": "#4b5563",
    "alert": "#a3161c",
    "other": "#6b21a8",
    "inverse": "#ffffff",
    "asked": "#3d4f66",
    "waiting": "#1f4f8f",
    "active": "#17623a",
    "paused": "#7a4b00",
    "closed": "#4b5563",
}
FILLS: Final = {  # of bars
    "asked": "#ffffff",
    "waiting": "#cfe1f7",
    "active": "#17623a",
    "paused": "#fbe3b0",
    "closed": "#4b5563",
}
PILLS: Final = {  # fill, edge and words of numbered marks
    "event": ("#1b1f24", "#1b1f24", "#ffffff"),
    "open": ("#ffffff", "#7a4b00", "#5c3900"),
    "late": ("#a3161c", "#a3161c", "#ffffff"),
    "answered": ("#e5e7eb", "#4b5563", "#374151"),
}
HATCH: Final = "#b36b00"
ALERT: Final = "#8f1d1d"
