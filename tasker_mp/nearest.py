"""Which known name a mistyped one was probably meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

_COMPARED = 2000
_LISTED = 10


def nearest(name: str, known: Iterable[str], count: int = 1) -> list[str]:
    """Up to `count` of the known names like `name`, best first; those that differ only in case win.

    Compares with the first 2,000 names only: a comparison takes microseconds, and a template may
    have 10,000 steps.
    """
    names = list(known)
    folded = name.casefold()
    same = [candidate for candidate in names if candidate.casefold() == folded]
    return same[:count] or get_close_matches(name, names[:_COMPARED], n=count, cutoff=0.6)


def suggestion(name: str, known: Iterable[str]) -> str:
    """The cure for an unknown name: the nearest known one, else all of them where they are few."""
    names = list(known)
    close = nearest(name, names)
    if close:
        return f"did you mean '{close[0]}'?"
    if not names:
        return "none is known"
    more = f", … ({len(names)} in all)" if len(names) > _LISTED else ""
    return "known: " + ", ".join(names[:_LISTED]) + more
