"""The operations on profile objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from openprofiles.errors import InvalidRequest
from openprofiles.objects import objects
from openprofiles.objects.group_commit import GroupCommit
from openprofiles.objects.objects import CallResult, ObjectFilter, PutResult, results_of, unique_key_text
from openprofiles.operations.call import Call
from openprofiles.operations.registry import operation, page_of
from openprofiles.store.connections import Store

if TYPE_CHECKING:
    from openprofiles.wire import types as aws

# The name of the object type, and the JSON texts of objects.
_Objects: TypeAlias = tuple[str, Sequence[str]]
# Of each store: the calls of one caller on one domain are written together.
_groups: WeakKeyDictionary[Store, dict[tuple[str, str], GroupCommit[_Objects, CallResult]]] = WeakKeyDictionary()
_groups_lock = Lock()


@operation("PutProfileObject")
def put_profile_object(call: Call, request: aws.PutProfileObjectRequest) -> aws.PutProfileObjectResponse:
    """Ingest an object; it is stored with its profile when the answer arrives.

    As in AWS, the answer does not say whether the object found a profile: one that did not is a dead letter.

    Errors:
        ResourceNotFoundException: no such domain or object type.
        BadRequestException: the object is not JSON, is too large, lacks its keys, or has a value that is too long.
    """
    (result,) = _put_together(call, request["DomainName"], request["ObjectTypeName"], [request["Object"]])
    return {"ProfileObjectUniqueKey": unique_key_text(result.result())}


@operation("BatchPutProfileObject")
def batch_put_profile_object(
    call: Call, request: aws.BatchPutProfileObjectRequest
) -> aws.BatchPutProfileObjectResponse:
    """Ingest up to ten objects of one type, in their order and in one transaction; each fails by itself.

    Errors:
        ResourceNotFoundException: no such domain or object type.
        BadRequestException: two items have the same id.
    """
    items = request["Items"]
    repeated = [name for name, count in Counter(item["Id"] for item in items).items() if count > 1]
    if repeated:
        raise InvalidRequest(f"Items: more than one item has the Id {repeated[0]}. Give each item an Id of its own.")
    contents = [item["Object"] for item in items]
    results = _put_together(call, request["DomainName"], request["ObjectTypeName"], contents)
    successful: list[aws.BatchPutProfileObjectResponseItem] = []
    failed: list[aws.BatchPutProfileObjectErrorItem] = []
    for item, result in zip(items, results, strict=True):
        if result.unique_key is None:
            failed.append({"Id": item["Id"], "Code": 400, "Message": str(result.error)})
        else:
            successful.append({"Id": item["Id"], "ProfileObjectUniqueKey": unique_key_text(result.unique_key)})
    return {"Successful": successful, "Failed": failed}


@operation("ListProfileObjects")
def list_profile_objects(call: Call, request: aws.ListProfileObjectsRequest) -> aws.ListProfileObjectsResponse:
    """List a profile's objects of one type, newest first; 100 to a page by default.

    Errors:
        ResourceNotFoundException: no such domain, profile or object type.
        BadRequestException: a token of another list, or a filter by a key that the type does not have.
    """
    given = request.get("ObjectFilter")
    with call.reading(request["DomainName"]) as session:
        page = objects.list_profile_objects(
            session,
            request["ProfileId"],
            request["ObjectTypeName"],
            object_filter=None if given is None else ObjectFilter(given["KeyName"], tuple(given["Values"])),
            **page_of(request),
        )
    return {
        "Items": [
            {
                "ObjectTypeName": request["ObjectTypeName"],
                "ProfileObjectUniqueKey": unique_key_text(one.unique_key),
                "Object": one.content,
            }
            for one in page.objects
        ],
        "NextToken": page.next_token,
    }


@operation("DeleteProfileObject")
def delete_profile_object(call: Call, request: aws.DeleteProfileObjectRequest) -> aws.DeleteProfileObjectResponse:
    """Remove an object, and the keys that only it gave its profile; the fields of the profile stay.

    Errors:
        ResourceNotFoundException: no such domain or profile, or the profile has no such object of this type.
    """
    with call.writing(request["DomainName"]) as session:
        objects.delete_profile_object(
            session, request["ProfileId"], request["ObjectTypeName"], request["ProfileObjectUniqueKey"]
        )
    return {"Message": f"OK: object of the type {request['ObjectTypeName']} deleted"}


def _put_together(call: Call, domain_name: str, type_name: str, contents: Sequence[str]) -> list[PutResult]:
    """Ingest objects, in one transaction with those of other calls that wait."""

    def write(calls: Sequence[_Objects]) -> Sequence[CallResult]:
        with call.writing(domain_name) as session:
            return objects.put_objects_of_calls(session, calls)

    return results_of(_group_of(call, domain_name).submit((type_name, contents), write))


def _group_of(call: Call, domain_name: str) -> GroupCommit[_Objects, CallResult]:
    with _groups_lock:
        of_store = _groups.setdefault(call.store, {})
        return of_store.setdefault((domain_name, call.principal.arn(call.account_id)), GroupCommit())
