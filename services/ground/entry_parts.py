"""An audit entry that is too much for one, in parts: no record is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

ENTRY_MOST: Final = 100  # records, fields or reasons of one audit entry; what is more goes into further ones
LISTS: Final = ("fields", "because")  # of an audit entry, beside its records


def listed(more: Mapping[str, object], name: str) -> Sequence[object]:
    """One of an entry's lists; empty where it has none."""
    value = more.get(name)
    return value if isinstance(value, (list, tuple)) else ()


def in_parts(
    records: Sequence[tuple[str, str]], more: Mapping[str, object]
) -> Iterator[tuple[Sequence[tuple[str, str]], dict[str, object]]]:
    """The records and the other lists of an entry, as many of each at once as one entry takes.

    Each part names the first fields and reasons where they fit into one, since every part must say them.
    """
    lists = {name: listed(more, name) for name in LISTS}
    longest = max(len(records), *(len(values) for values in lists.values()))
    for start in range(0, longest, ENTRY_MOST):
        part = {
            name: values if len(values) <= ENTRY_MOST else values[start : start + ENTRY_MOST]
            for name, values in lists.items()
        }
        yield records[start : start + ENTRY_MOST], {**more, **part}
