"""The search for customers, which AWS does not have: by the beginnings of words, and the list of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from openprofiles.facts.records import Profile
from openprofiles.facts.standard_profile import ACCOUNT_KEY, EMAIL_KEY, KEY_PATHS, PHONE_KEY
from openprofiles.facts.summaries import city_of, first_of, name_of
from openprofiles.operations.call import Call
from openprofiles.operations.registry import OWN_PAGE_SIZE, own_operation, page_of
from openprofiles.profiles.text_search import find_by_words

if TYPE_CHECKING:
    from openprofiles.wire import own_types as own


@own_operation("FindProfiles")
def find_profiles(call: Call, request: own.FindProfilesRequest) -> own.ProfilePage:
    """List the profiles of a domain, or find those that have words with these beginnings."""
    with call.reading(request["DomainName"]) as session:
        page = find_by_words(session, request.get("Text", ""), **page_of(request, OWN_PAGE_SIZE))
    return {
        "Items": [_summary(one) for one in page.profiles],
        "NextToken": page.next_token,
        "IsComplete": page.is_complete,
    }


def _summary(profile: Profile) -> own.ProfileSummary:
    texts = {
        "Name": name_of(profile),
        "EmailAddress": first_of(profile, KEY_PATHS[EMAIL_KEY]),
        "PhoneNumber": first_of(profile, KEY_PATHS[PHONE_KEY]),
        "AccountNumber": first_of(profile, KEY_PATHS[ACCOUNT_KEY]),
        "City": city_of(profile),
    }
    members: dict[str, Any] = {
        "ProfileId": profile.profile_id,
        "CreatedAt": profile.created_at,
        "UpdatedAt": profile.updated_at,
        **{name: text for name, text in texts.items() if text},
    }
    return cast("own.ProfileSummary", members)
