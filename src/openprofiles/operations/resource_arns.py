"""ARNs: the names of resources outside their own operations.

Source: reference, section 13. Of the resources that can have tags, this version has domains only.
"""

from __future__ import annotations

import re

from openprofiles.errors import InvalidRequest, NotFound

_PROFILE_ARN = re.compile(r"arn:aws:profile:(?P<region>[^:]*):(?P<account_id>[^:]*):(?P<resource>[^:]+)\Z")
_DOMAIN_RESOURCE = re.compile(r"domains/([a-zA-Z0-9_-]{1,64})\Z")


def domain_name_of_arn(arn: str, *, region: str, account_id: str) -> str:
    """Extract the domain's name from ``arn:aws:profile:<region>:<account>:domains/<name>``.

    Does not check whether the domain exists.

    An empty region or account is this server's: Terraform leaves the account empty when it does not ask for it.

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
    domain = _DOMAIN_RESOURCE.match(parts["resource"])
    if domain is None:
        raise NotFound(f"Resource {arn} does not exist. Only domains have tags here.")
    return domain[1]
