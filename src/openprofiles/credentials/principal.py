"""The caller of a request, and their permissions.

An action is a service and an operation, ``profile:GetUploadJob``; operations that AWS does not
have are named like ``openprofiles:GetFailedRows``. A pattern is an action, or the beginning of one and a ``*``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from openprofiles.errors import InvalidRequest

_ACTION_PATTERN = re.compile(r"(\*|(profile|openprofiles):([A-Za-z]+\*?|\*))\Z")
_DOMAIN_PATTERN = re.compile(r"(\*|[A-Za-z0-9_-]{1,64}\*?)\Z")


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner of a credential.

    Attributes:
        access_key_id: the public part of the credential.
        name: what a person called it.
        actions: patterns of what it may do; ``*`` is everything.
        domains: patterns of the domains it may touch; ``*`` is all of them.
    """

    access_key_id: str
    name: str
    actions: tuple[str, ...]
    domains: tuple[str, ...]

    def arn(self, account_id: str) -> str:
        """Return the ARN of the principal, as that of a user: ``arn:aws:iam::000000000000:user/NAME``."""
        return f"arn:aws:iam::{account_id}:user/{self.name}"

    def may_do(self, action: str) -> bool:
        """Return whether the principal may do an action, such as ``openprofiles:GetFailedRows``."""
        return any(matches(pattern, action) for pattern in self.actions)

    def may_see_domain(self, domain_name: str) -> bool:
        """Return whether the principal may see a domain; other domains do not exist for it."""
        return any(matches(pattern, domain_name) for pattern in self.domains)

    def may_see_every_domain(self) -> bool:
        """Return whether the principal may see all domains, including future ones."""
        return "*" in self.domains


def matches(pattern: str, text: str) -> bool:
    """Return whether a pattern matches a text; one that ends in ``*`` matches by prefix."""
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def check_patterns(actions: tuple[str, ...], domains: tuple[str, ...]) -> None:
    """Refuse patterns that could never match.

    Raises:
        InvalidRequest: a pattern is malformed, or there is none of a kind.
    """
    if not actions or not domains:
        raise InvalidRequest("A credential needs at least one action and one domain; * allows all of them.")
    for pattern in actions:
        if not _ACTION_PATTERN.match(pattern):
            raise InvalidRequest(
                f"{pattern!r} is not an action. Write *, profile:<Operation>, such as profile:GetUploadJob or "
                "profile:List*, or openprofiles:<Operation>, such as openprofiles:SetUploadJobOptions."
            )
    for pattern in domains:
        if not _DOMAIN_PATTERN.match(pattern):
            raise InvalidRequest(f"{pattern!r} is not a domain. Write a domain name, a prefix followed by *, or *.")
