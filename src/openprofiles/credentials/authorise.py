"""Check that a principal has permission for a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from openprofiles.credentials.principal import Principal
from openprofiles.wire.errors import WireError
from openprofiles.wire.model import Operation

# Everything that can be tagged belongs to a domain: .../domains/<name>, .../domains/<name>/<kind>/<id>.
_DOMAIN_IN_ARN = re.compile(r"arn:[^:]*:profile:[^:]*:[^:]*:domains/([^/]+)(?:/.*)?\Z", re.DOTALL)


def authorise(principal: Principal, operation: Operation, request: Mapping[str, Any]) -> None:
    """Refuse a request that the principal's actions or domains do not allow.

    The model says which action an operation needs, and which ones some of its members need in addition. The domain is
    the request's ``DomainName``, or the one inside its ``resourceArn``. Operations with neither (ListDomains) show
    their caller its own domains only, which is their handlers' work.

    Args:
        operation: of AWS's model or of our own.
        request: by member name, as the wire layer read it.

    Raises:
        WireError: AccessDeniedException.
    """
    action = operation.action
    if "resourceArn" in request:
        found = _DOMAIN_IN_ARN.match(request["resourceArn"])
        if found is None:
            authorise_action(principal, action)
            if not principal.may_see_every_domain():
                raise _denied(principal, f"{action} on a resource without a domain")
            return
        authorise_action(principal, action, found[1])
    else:
        authorise_action(principal, action, request.get("DomainName"))
    for name, member in operation.input.members.items():
        if member.action is not None and name in request:
            authorise_action(principal, member.action, request.get("DomainName"))


def authorise_action(principal: Principal, action: str, domain_name: str | None = None) -> None:
    """Refuse an action, or a given domain, that the principal is not allowed.

    Args:
        action: such as ``openprofiles:GetFailedRows``.

    Raises:
        WireError: AccessDeniedException.
    """
    if not principal.may_do(action):
        on_domain = "" if domain_name is None else f" on the domain {domain_name}"
        raise _denied(principal, f"{action}{on_domain}: the credential does not allow this action")
    if domain_name is not None and not principal.may_see_domain(domain_name):
        raise _denied(principal, f"{action} on the domain {domain_name}: the credential does not allow this domain")


def _denied(principal: Principal, what: str) -> WireError:
    return WireError("AccessDeniedException", f"The credential {principal.access_key_id} may not call {what}.")
