"""The operation that finds profiles by their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openprofiles.facts.keys import SearchKey
from openprofiles.operations.call import Call
from openprofiles.operations.profile_shapes import profile_answer
from openprofiles.operations.registry import operation, page_of
from openprofiles.profiles.search import search_profiles as find_profiles

if TYPE_CHECKING:
    from openprofiles.wire import types as aws

# Source: service model, SearchProfiles: 20 if not specified.
_PAGE_SIZE = 20


@operation("SearchProfiles")
def search_profiles(call: Call, request: aws.SearchProfilesRequest) -> aws.SearchProfilesResponse:
    """Find profiles by any (OR, the default) or all (AND) of up to five keys.

    A profile matches a key if it has any of the key's values.

    A page may be short and still have a ``NextToken``, when many profiles had to be looked at in vain.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: more than 1,000 values, or a token of another list.
    """
    keys = [
        SearchKey(key["KeyName"], tuple(key["Values"])) for key in (request, *request.get("AdditionalSearchKeys", []))
    ]
    with call.reading(request["DomainName"]) as session:
        page = find_profiles(
            session,
            keys,
            match_all_keys=request.get("LogicalOperator") == "AND",
            **page_of(request, _PAGE_SIZE),
        )
    return {"Items": [profile_answer(one.profile, one.found_by) for one in page.found], "NextToken": page.next_token}
