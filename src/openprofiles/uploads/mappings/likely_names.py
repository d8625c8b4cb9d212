"""Find the names that somebody may have meant who wrote another one: "Did you mean 'Email'?"

One matcher for columns, fields of a profile, mappings and domains. It knows the header names that a mapping is
suggested from, so ``zip`` finds ``Address.PostalCode``.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from openprofiles.facts.standard_profile import FIELD_BY_PATH
from openprofiles.uploads.mappings.header_names import match_header, words_of

_MOST_NAMES = 3
# Below this share of equal characters two names have little in common: "Adress" and "Address" have 0.92.
_LEAST_LIKENESS = 0.75
_MOST_APART = 0.1
# A shorter text is a part of too many names.
_SHORTEST_PART = 3


def names_like(text: str, names: Iterable[str]) -> list[str]:
    """Find the names that the text may stand for, the most likely first."""
    folded = _fold(text)
    if not folded:
        return []
    meaning = match_header(text)
    ranked = []
    for position, name in enumerate(names):
        other = _fold(name)
        likeness = SequenceMatcher(None, folded, other).ratio()
        if other == folded:
            ranked.append((0, 0.0, position, name))
        elif meaning is not None and (match := match_header(name)) is not None and match.path == meaning.path:
            ranked.append((1, -likeness, position, name))
        elif _is_part(folded, other) or _is_part(other, folded) or likeness >= _LEAST_LIKENESS:
            ranked.append((2, -likeness, position, name))
    ranked.sort()
    # A name that is much less like it than the first one is noise.
    likely = [one for one in ranked if one[0] == ranked[0][0] and one[1] <= ranked[0][1] + _MOST_APART]
    return [name for _, _, _, name in likely[:_MOST_NAMES]]


def fields_like(text: str) -> list[str]:
    """Find the standard fields that a text may mean, the most likely first."""
    match = match_header(text)
    return [match.path] if match is not None else names_like(text, FIELD_BY_PATH)


def find_name(text: str, names: Iterable[str]) -> str | None:
    """Find the name that equals the text, or the only one that nearly does.

    Case, the number of blanks, and line breaks instead of blanks do not matter.
    """
    known = list(dict.fromkeys(names))
    if text in known:
        return text
    same = [name for name in known if _on_one_line(name.casefold()) == _on_one_line(text.casefold())]
    return same[0] if len(same) == 1 else None


def did_you_mean(names: Iterable[str]) -> str:
    """Ask "Did you mean", as the end of a message; empty without names."""
    quoted = [quote_name(name) for name in names]
    return f" Did you mean {' or '.join(quoted)}?" if quoted else ""


def quote_name(name: str) -> str:
    """Quote a name as it can be typed: a line break in a header is a blank."""
    return repr(_on_one_line(name) if "\n" in name or "\r" in name else name)


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _fold(text: str) -> str:
    """Reduce a name to its letters and digits: ``E-Mail`` and ``Email`` are one."""
    return "".join(words_of(text))


def _is_part(part: str, whole: str) -> bool:
    return len(part) >= _SHORTEST_PART and part in whole
