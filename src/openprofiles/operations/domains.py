"""The operations on domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from openprofiles.operations.call import Call
from openprofiles.operations.domain_shapes import config_of_request, domain_answer, domain_item
from openprofiles.operations.registry import operation, page_of
from openprofiles.profiles import domains

if TYPE_CHECKING:
    from openprofiles.wire import types as aws


@operation("CreateDomain")
def create_domain(call: Call, request: aws.CreateDomainRequest) -> aws.CreateDomainResponse:
    """Make a domain; the name of a deleted one is free at once.

    Errors:
        BadRequestException: the domain exists, or its configuration contradicts itself.
    """
    domain = domains.create_domain(
        call.store,
        request["DomainName"],
        default_expiration_days=request["DefaultExpirationDays"],
        config=config_of_request(request),
        tags=request.get("Tags", {}),
        phone_region=call.settings.phone_region,
        now=call.now,
    )
    return cast("aws.CreateDomainResponse", domain_answer(domain))


@operation("GetDomain")
def get_domain(call: Call, request: aws.GetDomainRequest) -> aws.GetDomainResponse:
    """Show a domain and how many profiles it has that have not expired.

    ``ObjectCount`` includes standard objects, and expired ones until the worker removes them. Nothing is billed here,
    so each profile is metered once, and ``TotalSize`` (of the objects) is 0.

    Errors:
        ResourceNotFoundException: no such domain.
    """
    with call.reading(request["DomainName"]) as session:
        profile_count = domains.count_profiles(session)
    answer = cast("aws.GetDomainResponse", domain_answer(session.domain))
    answer["Stats"] = {
        "ProfileCount": profile_count,
        "MeteringProfileCount": profile_count,
        "ObjectCount": session.domain.object_count,
        "TotalSize": 0,
    }
    return answer


@operation("UpdateDomain")
def update_domain(call: Call, request: aws.UpdateDomainRequest) -> aws.UpdateDomainResponse:
    """Change the members that the request gives.

    An empty text clears the encryption key or the queue; tags replace the old ones.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: the configuration contradicts itself, or would switch the data store off.
    """
    with call.writing(request["DomainName"]) as session:
        domain = domains.update_domain(
            session,
            default_expiration_days=request.get("DefaultExpirationDays"),
            config=config_of_request(request),
            tags=request.get("Tags"),
        )
    return cast("aws.UpdateDomainResponse", domain_answer(domain))


@operation("ListDomains")
def list_domains(call: Call, request: aws.ListDomainsRequest) -> aws.ListDomainsResponse:
    """List the domains that the caller may see, by name; 100 to a page by default.

    Errors:
        BadRequestException: the token is not one of this list's.
    """
    page = domains.list_domains(
        call.store,
        is_visible=call.principal.may_see_domain,
        **page_of(request),
    )
    return {"Items": [domain_item(domain) for domain in page.domains], "NextToken": page.next_token}


@operation("DeleteDomain")
def delete_domain(call: Call, request: aws.DeleteDomainRequest) -> aws.DeleteDomainResponse:
    """Delete a domain at once; the worker removes its data afterwards.

    Errors:
        ResourceNotFoundException: no such domain.
    """
    with call.writing(request["DomainName"]) as session:
        domains.delete_domain(session)
    return {"Message": f"OK: domain {request['DomainName']} deleted"}
