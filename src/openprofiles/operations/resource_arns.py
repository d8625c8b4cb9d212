"""ARNs: the names of resources outside their own operations.

Source: reference, section 13.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from openprofiles.errors import InvalidRequest, NotFound

_PROFILE_ARN = re.compile(r"arn:aws:profile:(?P<region>[^:]*):(?P<account_id>[^:]*):(?P<resource>[^:]+)\Z")
_RESOURCE = re.compile(
    r"domains/(?P<domain>[a-zA-Z0-9_-]{1,64})(?:/(?P<kind>[a-z-]+)/(?P<name>[a-zA-Z0-9_-]{1,255}))?\Z"
)


@dataclass(frozen=True, slots=True)
class Resource:
    """What an ARN names.

    Attributes:
        kind: the part of the ARN that names the kind of a resource in the domain; None: the domain itself.
        name: of the resource in the domain.
    """

    domain_name: str
    kind: str | None
    name: str


def resource_of_arn(arn: str, kinds: Collection[str], *, region: str, account_id: str) -> Resource:
    """Read ``arn:aws:profile:<region>:<account>:domains/<domain>``, with ``/<kind>/<name>`` or without.

    Does not check whether the resource exists.

    An empty region or account is this server's: Terraform leaves the account empty when it does not ask for it.

    Args:
        kinds: those that this version has.

    Raises:
        InvalidRequest: the text is not an ARN of this service.
        NotFound: it names another region, another account, or something that this version cannot tag.
    """
    parts = _PROFILE_ARN.match(arn)
    if parts is None:
        raise InvalidRequest(
            "resourceArn is not an ARN of this service. "
            f"A domain's ARN is arn:aws:profile:{region}:{account_id}:domains/<name>."
        )
    if parts["region"] not in ("", region) or parts["account_id"] not in ("", account_id):
        raise NotFound(
            f"Resource {arn} does not exist: the call is for the region {region} and the account {account_id}."
        )
    resource = _RESOURCE.match(parts["resource"])
    if resource is None or not (resource["kind"] is None or resource["kind"] in kinds):
        raise NotFound(f"Resource {arn} does not exist. Only domains and their {', '.join(sorted(kinds))} have tags.")
    return Resource(resource["domain"], resource["kind"], resource["name"] or "")


def resource_arn(region: str, account_id: str, domain_name: str, kind: str, name: str) -> str:
    """Return the ARN of a resource in a domain; see ``resource_of_arn``."""
    return f"arn:aws:profile:{region}:{account_id}:domains/{domain_name}/{kind}/{name}"
