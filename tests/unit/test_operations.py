"""The handlers: from a request of the API to its answer, as the wire layer hands them over."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import openprofiles.errors
from openprofiles.clock import from_milliseconds, to_milliseconds
from openprofiles.errors import (
    Busy,
    DomainError,
    FilesUnreachable,
    InvalidRequest,
    NotFound,
    StorageFull,
    StoreNotWritable,
    StoreUnreachable,
)
from openprofiles.facts.standard_profile import ADDRESS_MEMBERS, ADDRESSES
from openprofiles.master_key import MasterKey
from openprofiles.operations.call import Call
from openprofiles.operations.errors import to_wire_error
from openprofiles.operations.registry import handlers, operation
from openprofiles.settings import Settings
from openprofiles.store.sqlite import SqliteStore
from openprofiles.store.tables import metadata
from openprofiles.wire import codec
from openprofiles.wire.check import violations
from openprofiles.wire.model import load_model

MODEL = load_model()
NOW = from_milliseconds(1_780_000_000_123)
ARN = "arn:aws:profile:eu-west-1:123456789012:domains/"

Perform = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Visitor:
    """A caller who may see the domains whose names begin with a text."""

    prefix: str = ""

    def arn(self, account_id: str, /) -> str:
        return f"arn:aws:iam::{account_id}:user/visitor"

    def may_see_domain(self, domain_name: str, /) -> bool:
        return domain_name.startswith(self.prefix)

    def may_do(self, _action: str, /) -> bool:
        return True


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    store = SqliteStore(tmp_path / "openprofiles.db")
    with store.write() as connection:
        metadata.create_all(connection)
    yield Call(
        settings=Settings(data_folder=tmp_path, account_id="123456789012"),
        store=store,
        read_master_key=lambda: MasterKey(bytes(32)),
        principal=Visitor(),
        request_id="r-1",
        region="eu-west-1",
        now=NOW,
        base_url="http://localhost:8420",
    )
    store.close()


@pytest.fixture
def perform(call: Call) -> Perform:
    """Calls a handler with a request that the model allows, and gives the answer as a client would read it."""

    def perform_one(name: str, *, on: Call = call, **request: Any) -> dict[str, Any]:
        assert violations(MODEL.operations[name].input, request) == []
        answer = handlers()[name](on, request)
        _status, _headers, body = codec.write(MODEL.operations[name], answer)
        assert isinstance(body, bytes)
        parsed: dict[str, Any] = json.loads(body)
        return parsed

    return perform_one


def test_an_operation_has_a_handler_or_stands_in_the_list_of_those_that_have_none() -> None:
    listed = files("openprofiles.operations").joinpath("not_implemented.txt").read_text(encoding="utf-8").splitlines()

    missing = sorted(set(MODEL.operations) - set(handlers()))

    assert listed == missing, (
        "operations/not_implemented.txt may only shrink: remove the operations that have a handler now; "
        "if one has lost its handler, give it back."
    )


def test_a_handler_for_an_unknown_operation_or_a_second_one_is_an_error() -> None:
    handlers()

    with pytest.raises(ValueError, match="no operation GetWeather"):
        operation("GetWeather")
    with pytest.raises(ValueError, match="CreateDomain has two handlers"):
        operation("CreateDomain")


def test_every_error_of_the_domain_has_a_code_and_others_have_none() -> None:
    raised: list[DomainError] = [
        NotFound("a"),
        InvalidRequest("b"),
        Busy("c"),
        StoreNotWritable("d"),
        StorageFull("full"),
        StoreUnreachable("e"),
        FilesUnreachable("f"),
    ]
    kinds = set(DomainError.__subclasses__())
    kinds |= {one for kind in kinds for one in kind.__subclasses__() if one.__module__ == "openprofiles.errors"}
    assert {type(error) for error in raised} == kinds, openprofiles.errors.__doc__

    errors = [to_wire_error(error) for error in raised]

    assert [(error.code, error.message) for error in errors if error] == [
        ("ResourceNotFoundException", "a"),
        ("BadRequestException", "b"),
        ("ThrottlingException", "c"),
        ("InternalServerException", "d"),
        ("InternalServerException", "full"),
        ("InternalServerException", "e"),
        ("InternalServerException", "f"),
    ]
    assert to_wire_error(KeyError("e")) is None


CONFIG: dict[str, Any] = {
    "DefaultEncryptionKey": "arn:aws:kms:eu-west-1:123456789012:key/1",
    "DeadLetterQueueUrl": "https://sqs.example/1",
    "Matching": {"Enabled": True, "JobSchedule": {"DayOfTheWeek": "MONDAY", "Time": "04:30"}},
    "RuleBasedMatching": {"Enabled": True, "MatchingRules": [{"Rule": ["EmailAddress"]}]},
    "DataStore": {"Enabled": True},
}
SHOWN_CONFIG = CONFIG | {
    "RuleBasedMatching": CONFIG["RuleBasedMatching"] | {"Status": "ACTIVE"},
    "DataStore": {"Enabled": True, "Readiness": {"ProgressPercentage": 100}},
}


def test_a_domain_is_shown_as_it_was_made(perform: Perform) -> None:
    made = perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30, Tags={"team": "a"}, **CONFIG)

    shown = perform("GetDomain", DomainName="shop")

    moment = to_milliseconds(NOW) / 1000
    assert made == SHOWN_CONFIG | {
        "DomainName": "shop",
        "DefaultExpirationDays": 30,
        "Tags": {"team": "a"},
        "CreatedAt": moment,
        "LastUpdatedAt": moment,
    }
    stats = {"ProfileCount": 0, "MeteringProfileCount": 0, "ObjectCount": 0, "TotalSize": 0}
    assert shown == made | {"Stats": stats}


def test_the_statistics_count_profiles_that_have_not_expired(call: Call, perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=1)
    perform("CreateDomain", DomainName="other", DefaultExpirationDays=1)
    for name in ("shop", "shop", "other"):
        perform("CreateProfile", DomainName=name, FirstName="Ada")
    tomorrow = dataclasses.replace(call, now=NOW + timedelta(days=1))
    perform("CreateProfile", on=tomorrow, DomainName="shop", FirstName="Eve")

    stats = [perform("GetDomain", on=at, DomainName="shop")["Stats"] for at in (call, tomorrow)]

    assert [(one["ProfileCount"], one["MeteringProfileCount"]) for one in stats] == [(3, 3), (1, 1)]


def test_an_update_of_a_domain_clears_what_is_empty_and_keeps_what_is_absent(call: Call, perform: Perform) -> None:
    made = perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30, Tags={"team": "a"}, **CONFIG)
    later = dataclasses.replace(call, now=NOW + timedelta(seconds=1))

    changed = perform("UpdateDomain", on=later, DomainName="shop", DefaultEncryptionKey="", DefaultExpirationDays=5)

    del made["DefaultEncryptionKey"]
    assert changed == made | {"DefaultExpirationDays": 5, "LastUpdatedAt": made["CreatedAt"] + 1}


def test_the_list_shows_the_domains_of_the_caller_page_by_page(call: Call, perform: Perform) -> None:
    for name in ("a-1", "b-1", "a-2", "b-2", "a-3"):
        perform("CreateDomain", DomainName=name, DefaultExpirationDays=30)
    visitor = dataclasses.replace(call, principal=Visitor("a-"))

    first = perform("ListDomains", on=visitor, MaxResults=2)
    second = perform("ListDomains", on=visitor, MaxResults=2, NextToken=first["NextToken"])
    everything = perform("ListDomains")

    assert [[item["DomainName"] for item in page["Items"]] for page in (first, second)] == [["a-1", "a-2"], ["a-3"]]
    assert "NextToken" not in second
    assert [item["DomainName"] for item in everything["Items"]] == ["a-1", "a-2", "a-3", "b-1", "b-2"]
    assert everything["Items"][0].keys() == {"DomainName", "CreatedAt", "LastUpdatedAt", "Tags"}


def test_a_deleted_domain_is_gone(perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)

    answer = perform("DeleteDomain", DomainName="shop")

    assert answer == {"Message": "OK: domain shop deleted"}
    with pytest.raises(NotFound, match="Domain shop does not exist"):
        perform("GetDomain", DomainName="shop")


def test_tags_are_set_shown_and_removed_by_arn(perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)
    perform("CreateDomain", DomainName="other", DefaultExpirationDays=30, Tags={"team": "z"})

    perform("TagResource", resourceArn=ARN + "shop", tags={"team": "a", "stage": "test"})
    perform("UntagResource", resourceArn=ARN + "shop", tagKeys=["stage"])

    assert perform("ListTagsForResource", resourceArn=ARN + "shop") == {"tags": {"team": "a"}}
    assert perform("ListTagsForResource", resourceArn=ARN + "other") == {"tags": {"team": "z"}}
    assert perform("GetDomain", DomainName="shop")["Tags"] == {"team": "a"}


@pytest.mark.parametrize("arn", ["arn:aws:profile:eu-west-1::domains/shop", "arn:aws:profile:::domains/shop"])
def test_an_arn_without_account_or_region_means_this_server(perform: Perform, arn: str) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)

    perform("TagResource", resourceArn=arn, tags={"team": "a"})

    assert perform("ListTagsForResource", resourceArn=ARN + "shop") == {"tags": {"team": "a"}}


WRONG_ARNS = [
    pytest.param(ARN + "absent", NotFound, "Domain absent does not exist", id="no such domain"),
    pytest.param(ARN.replace("eu-west-1", "us-east-1") + "shop", NotFound, "region eu-west-1", id="another region"),
    pytest.param(ARN.replace("9012", "0000") + "shop", NotFound, "account 123456789012", id="another account"),
    pytest.param(
        ARN + "shop/upload-jobs/x", NotFound, "Only domains and their .* have tags", id="another kind of resource"
    ),
    pytest.param(ARN + "shop\n", NotFound, "Only domains and their .* have tags", id="line end"),
    pytest.param("arn:aws:profile", InvalidRequest, "not an ARN of this service", id="cut off"),
    pytest.param("arn:other:profile:eu-west-1:123456789012:domains/shop", InvalidRequest, "not an ARN", id="partition"),
    pytest.param(ARN + "shop:x", InvalidRequest, "not an ARN of this service", id="too many parts"),
]


@pytest.mark.parametrize(("arn", "error", "message"), WRONG_ARNS)
def test_an_arn_that_names_no_domain_of_ours_is_refused(
    perform: Perform, arn: str, error: type[DomainError], message: str
) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30, Tags={"team": "a"})

    with pytest.raises(error, match=message):
        perform("TagResource", resourceArn=arn, tags={"team": "b"})
    with pytest.raises(error, match=message):
        perform("ListTagsForResource", resourceArn=arn)

    assert perform("ListTagsForResource", resourceArn=ARN + "shop") == {"tags": {"team": "a"}}


# Each member of CreateProfile that is plain text.
TEXT_MEMBERS = (
    "AccountNumber",
    "AdditionalInformation",
    "BusinessName",
    "FirstName",
    "MiddleName",
    "LastName",
    "BirthDate",
    "PhoneNumber",
    "MobilePhoneNumber",
    "HomePhoneNumber",
    "BusinessPhoneNumber",
    "EmailAddress",
    "PersonalEmailAddress",
    "BusinessEmailAddress",
)


def full_profile() -> dict[str, Any]:
    """Every member that a profile can have, each with a value of its own."""
    return {
        **{member: f" {member} ä " for member in TEXT_MEMBERS},
        **{address: {member: f"{address} {member}" for member in ADDRESS_MEMBERS} for address in ADDRESSES},
        "Gender": "FEMALE",
        "GenderString": "FEMALE",
        "PartyType": "BUSINESS",
        "PartyTypeString": "BUSINESS",
        "ProfileType": "ACCOUNT_PROFILE",
        "Attributes": {"Loyalty": "gold", "a.b": " "},
        "EngagementPreferences": {"Email": [{"KeyName": "k", "KeyValue": "v", "ContactType": "EmailAddress"}]},
    }


def test_a_profile_with_every_member_comes_back_verbatim(perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)
    members = full_profile()
    assert members.keys() == MODEL.operations["CreateProfile"].input.members.keys() - {"DomainName"}

    profile_id = perform("CreateProfile", DomainName="shop", **members)["ProfileId"]

    answer = perform("BatchGetProfile", DomainName="shop", ProfileIds=[profile_id])
    assert answer == {"Profiles": [members | {"ProfileId": profile_id}], "Errors": []}


def test_every_text_can_be_removed_from_a_profile(perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)
    profile_id = perform("CreateProfile", DomainName="shop", **full_profile())["ProfileId"]

    perform(
        "UpdateProfile",
        DomainName="shop",
        ProfileId=profile_id,
        **dict.fromkeys((*TEXT_MEMBERS, "GenderString", "PartyTypeString"), ""),
        **{address: dict.fromkeys(ADDRESS_MEMBERS, "") for address in ADDRESSES},
        Attributes={"Loyalty": "", "a.b": ""},
        EngagementPreferences={},
    )

    answer = perform("BatchGetProfile", DomainName="shop", ProfileIds=[profile_id])
    assert answer["Profiles"] == [{"ProfileId": profile_id, "ProfileType": "ACCOUNT_PROFILE"}]


TWIN_CASES = [
    pytest.param({"Gender": "MALE"}, {"Gender": "MALE", "GenderString": "MALE"}, id="enum only"),
    pytest.param({"GenderString": "MALE"}, {"Gender": "MALE", "GenderString": "MALE"}, id="text that is in the enum"),
    pytest.param({"GenderString": "male"}, {"GenderString": "male"}, id="text that is not"),
    pytest.param({"PartyTypeString": "club"}, {"PartyTypeString": "club"}, id="party type"),
    pytest.param(
        {"PartyType": "OTHER", "PartyTypeString": "OTHER"},
        {"PartyType": "OTHER", "PartyTypeString": "OTHER"},
        id="both alike",
    ),
]


@pytest.mark.parametrize(("given", "shown"), TWIN_CASES)
def test_gender_and_party_type_are_one_text_each(
    perform: Perform, given: dict[str, str], shown: dict[str, str]
) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)

    profile_id = perform("CreateProfile", DomainName="shop", **given)["ProfileId"]

    answer = perform("BatchGetProfile", DomainName="shop", ProfileIds=[profile_id])
    assert answer["Profiles"] == [shown | {"ProfileId": profile_id}]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Gender": "MALE", "GenderString": "x-secret"}, "^Gender and GenderString differ"),
        ({"PartyType": "OTHER", "PartyTypeString": ""}, "^PartyType and PartyTypeString differ"),
    ],
)
def test_twins_that_differ_are_refused_without_repeating_them(
    perform: Perform, given: dict[str, str], message: str
) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)
    profile_id = perform("CreateProfile", DomainName="shop", FirstName="Ada")["ProfileId"]

    with pytest.raises(InvalidRequest, match=message) as refusal:
        perform("UpdateProfile", DomainName="shop", ProfileId=profile_id, **given)

    assert "x-secret" not in str(refusal.value)
    answer = perform("BatchGetProfile", DomainName="shop", ProfileIds=[profile_id])
    assert answer["Profiles"] == [{"ProfileId": profile_id, "FirstName": "Ada"}]


def test_an_id_without_a_profile_is_an_error_of_its_own(perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)
    profile_id = perform("CreateProfile", DomainName="shop", FirstName="Ada")["ProfileId"]
    unknown = "0" * 32

    answer = perform("BatchGetProfile", DomainName="shop", ProfileIds=[unknown, profile_id])

    assert answer == {
        "Profiles": [{"ProfileId": profile_id, "FirstName": "Ada"}],
        "Errors": [
            {"ProfileId": unknown, "Code": "404", "Message": f"Profile {unknown} does not exist in domain shop."}
        ],
    }


def test_a_deleted_profile_is_gone(perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)
    gone, kept = (perform("CreateProfile", DomainName="shop", LastName="King")["ProfileId"] for _ in range(2))

    answer = perform("DeleteProfile", DomainName="shop", ProfileId=gone)

    assert answer == {"Message": f"OK: profile {gone} deleted"}
    found = perform("SearchProfiles", DomainName="shop", KeyName="_fullName", Values=["king"])
    assert [item["ProfileId"] for item in found["Items"]] == [kept]


def test_a_profile_is_found_by_an_added_key_until_it_is_deleted(perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)
    profile_id = perform("CreateProfile", DomainName="shop", LastName="King")["ProfileId"]
    key: dict[str, Any] = {"DomainName": "shop", "KeyName": "crm", "Values": ["A 1", "A 2"]}

    added = perform("AddProfileKey", ProfileId=profile_id, **key)
    found = perform("SearchProfiles", **key)
    deleted = perform("DeleteProfileKey", ProfileId=profile_id, **key)

    assert added == {"KeyName": "crm", "Values": ["A 1", "A 2"]}
    assert found["Items"] == [
        {"ProfileId": profile_id, "LastName": "King", "FoundByItems": [{"KeyName": "crm", "Values": ["A 1", "A 2"]}]}
    ]
    assert deleted == {"Message": f"OK: values of key crm deleted from profile {profile_id}"}
    assert perform("SearchProfiles", **key) == {"Items": []}


def test_a_search_joins_keys_by_or_unless_and_is_asked_for(perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)
    both = perform("CreateProfile", DomainName="shop", EmailAddress="ada@example.com", AccountNumber="7")["ProfileId"]
    mail = perform("CreateProfile", DomainName="shop", EmailAddress="ada@example.com")["ProfileId"]
    perform("CreateProfile", DomainName="shop", EmailAddress="eve@example.com")
    request: dict[str, Any] = {
        "DomainName": "shop",
        "KeyName": "_email",
        "Values": ["Ada@example.com"],
        "AdditionalSearchKeys": [{"KeyName": "_account", "Values": ["7", "8"]}],
    }

    found = {
        operator: perform("SearchProfiles", **request, **operator_member)
        for operator, operator_member in (
            ("", {}),
            ("OR", {"LogicalOperator": "OR"}),
            ("AND", {"LogicalOperator": "AND"}),
        )
    }

    email_item = {"KeyName": "_email", "Values": ["Ada@example.com"]}
    assert [(item["ProfileId"], item["FoundByItems"]) for item in found["OR"]["Items"]] == [
        (both, [email_item, {"KeyName": "_account", "Values": ["7"]}]),
        (mail, [email_item]),
    ]
    assert found[""] == found["OR"]
    assert [(item["ProfileId"], item["FoundByItems"]) for item in found["AND"]["Items"]] == [
        (both, [email_item, {"KeyName": "_account", "Values": ["7", "8"]}])
    ]


def test_a_search_gives_20_profiles_a_page_unless_asked_for_more_or_fewer(perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)
    ids = [perform("CreateProfile", DomainName="shop", LastName="King")["ProfileId"] for _ in range(25)]
    request = {"DomainName": "shop", "KeyName": "_fullName", "Values": ["king"]}

    first = perform("SearchProfiles", **request)
    second = perform("SearchProfiles", **request, NextToken=first["NextToken"])
    few = perform("SearchProfiles", **request, MaxResults=1)
    everything = perform("SearchProfiles", **request, MaxResults=100)

    assert [item["ProfileId"] for item in first["Items"]] == ids[:20]
    assert [item["ProfileId"] for item in second["Items"]] == ids[20:]
    assert "NextToken" not in second
    assert [item["ProfileId"] for item in few["Items"]] == ids[:1]
    assert [item["ProfileId"] for item in everything["Items"]] == ids
    assert "NextToken" not in everything


CRM: dict[str, Any] = {
    "Description": "Customers",
    "AllowProfileCreation": True,
    "Fields": {"id": {"Source": "_source.id"}, "first": {"Source": "_source.first", "Target": "_profile.FirstName"}},
    "Keys": {"crmId": [{"StandardIdentifiers": ["PROFILE", "UNIQUE"], "FieldNames": ["id"]}]},
}


def test_the_statistics_of_an_attribute_without_numbers_are_null(perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30, DataStore={"Enabled": True})
    of_type = {"DomainName": "shop", "ObjectTypeName": "Crm"}
    perform("PutProfileObjectType", **of_type, **CRM)
    perform("PutProfileObject", **of_type, Object='{"id": "1", "first": "Ada"}')

    found = perform("GetObjectTypeAttributeStatistics", **of_type, AttributeName="first")["Statistics"]

    percentiles = found.pop("Percentiles")
    assert found == dict.fromkeys(("Minimum", "Maximum", "Average", "StandardDeviation"))
    assert percentiles == dict.fromkeys(("P5", "P25", "P50", "P75", "P95"))


def test_a_batch_has_one_to_ten_objects_with_ids_of_their_own(perform: Perform) -> None:
    perform("CreateDomain", DomainName="shop", DefaultExpirationDays=30)
    of_type = {"DomainName": "shop", "ObjectTypeName": "Crm"}
    perform("PutProfileObjectType", **of_type, **CRM)
    items = [{"Id": str(number), "Object": f'{{"id": {number}}}'} for number in range(11)]
    shape = MODEL.operations["BatchPutProfileObject"].input

    refused = [[str(one.path) for one in violations(shape, {**of_type, "Items": given})] for given in ([], items)]
    with pytest.raises(InvalidRequest, match="more than one item has the Id 0"):
        perform("BatchPutProfileObject", **of_type, Items=[items[0], items[1], items[0]])
    answer = perform("BatchPutProfileObject", **of_type, Items=items[:10])

    assert refused == [["Items"], ["Items"]]
    assert ([one["Id"] for one in answer["Successful"]], answer["Failed"]) == ([str(one) for one in range(10)], [])
