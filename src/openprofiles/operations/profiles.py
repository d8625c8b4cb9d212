"""The operations on profiles and their keys. For finding profiles see ``search``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openprofiles.operations.call import Call
from openprofiles.operations.profile_shapes import change_of_request, profile_answer
from openprofiles.operations.registry import operation
from openprofiles.profiles import profiles

if TYPE_CHECKING:
    from openprofiles.wire import types as aws


@operation("CreateProfile")
def create_profile(call: Call, request: aws.CreateProfileRequest) -> aws.CreateProfileResponse:
    """Create a profile, even if another has the same values. Its values count as edited by hand.

    Errors:
        ResourceNotFoundException: no such domain.
        BadRequestException: Gender or PartyType differs from its twin, or a custom attribute has no name.
    """
    change = change_of_request(request)
    with call.writing(request["DomainName"]) as session:
        profile = profiles.create_profile(session, change)
    return {"ProfileId": profile.profile_id}


@operation("UpdateProfile")
def update_profile(call: Call, request: aws.UpdateProfileRequest) -> aws.UpdateProfileResponse:
    """Change the given values, which then count as edited by hand.

    An empty text removes a value; absent members stay as they are.

    Errors:
        ResourceNotFoundException: no such domain, or no such profile in it.
        BadRequestException: Gender or PartyType differs from its twin, or a custom attribute has no name.
    """
    change = change_of_request(request)
    with call.writing(request["DomainName"]) as session:
        profile = profiles.update_profile(session, request["ProfileId"], change)
    return {"ProfileId": profile.profile_id}


@operation("DeleteProfile")
def delete_profile(call: Call, request: aws.DeleteProfileRequest) -> aws.DeleteProfileResponse:
    """Remove a profile with everything that belongs to it.

    Errors:
        ResourceNotFoundException: no such domain, or no such profile in it.
    """
    with call.writing(request["DomainName"]) as session:
        profiles.delete_profile(session, request["ProfileId"])
    return {"Message": f"OK: profile {request['ProfileId']} deleted"}


@operation("BatchGetProfile")
def batch_get_profile(call: Call, request: aws.BatchGetProfileRequest) -> aws.BatchGetProfileResponse:
    """Return the profiles of up to 20 ids; an unknown id gives an error with the code 404.

    Errors:
        ResourceNotFoundException: no such domain.
    """
    domain_name = request["DomainName"]
    with call.reading(domain_name) as session:
        found = profiles.get_profiles(session, request["ProfileIds"])
    errors: list[aws.BatchGetProfileError] = [
        {"ProfileId": missing_id, "Code": "404", "Message": profiles.no_such_profile_message(missing_id, domain_name)}
        for missing_id in found.missing_ids
    ]
    return {"Profiles": [profile_answer(profile) for profile in found.profiles], "Errors": errors}


@operation("AddProfileKey")
def add_profile_key(call: Call, request: aws.AddProfileKeyRequest) -> aws.AddProfileKeyResponse:
    """Add values of a key to a profile, so that searches find it by them.

    Errors:
        ResourceNotFoundException: no such domain, or no such profile in it.
        BadRequestException: the key is ``_profileId``, or a value holds nothing to find the profile by.
    """
    key_name, values = request["KeyName"], request["Values"]
    with call.writing(request["DomainName"]) as session:
        profiles.add_profile_key(session, request["ProfileId"], key_name, values)
    return {"KeyName": key_name, "Values": values}


@operation("DeleteProfileKey")
def delete_profile_key(call: Call, request: aws.DeleteProfileKeyRequest) -> aws.DeleteProfileKeyResponse:
    """Remove values of a key from a profile; unknown values are ignored.

    Errors:
        ResourceNotFoundException: no such domain, or no such profile in it.
        BadRequestException: the key is ``_profileId``.
    """
    key_name, profile_id = request["KeyName"], request["ProfileId"]
    with call.writing(request["DomainName"]) as session:
        profiles.delete_profile_key(session, profile_id, key_name, request["Values"])
    return {"Message": f"OK: values of key {key_name} deleted from profile {profile_id}"}
