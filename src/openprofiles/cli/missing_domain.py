"""Say that there is no such domain, and which one may be meant."""

from __future__ import annotations

from collections.abc import Sequence

_DOMAINS_NAMED = 10


def describe_missing_domain(name: str, known: Sequence[str]) -> str:
    """Name the domains that may be meant, or else those that there are."""
    from openprofiles.uploads.mappings.likely_names import did_you_mean, names_like

    message = f"There is no domain {name}."
    if like := names_like(name, known):
        return message + did_you_mean(like)
    if not known:
        return message
    rest = " and more" if len(known) > _DOMAINS_NAMED else ""
    return f"{message} The domains are: {', '.join(known[:_DOMAINS_NAMED])}{rest}."
