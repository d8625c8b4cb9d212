"""The values of ``known_values.toml``, which says what each of its lists is."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from openprofiles.facts.sql_text import sql_text

KNOWN = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def sql_is_one_of(value: str, texts: Iterable[str]) -> str:
    """Build an SQL condition: a text is one of these, in any case; null is none."""
    return f"coalesce(lower({value}) in ({', '.join(map(sql_text, texts))}), false)"
