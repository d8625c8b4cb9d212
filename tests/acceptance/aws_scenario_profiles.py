"""The part of the scenario about domains, tags, profiles, keys, search, malformed requests and signatures."""

from __future__ import annotations

import json
from typing import Any

from acceptance.answer_recorder import Recorder

UNKNOWN_ID = "0" * 32
_ARN = "arn:aws:profile:us-east-1:123456789012:domains/"

_RULES = {
    "Enabled": True,
    "MatchingRules": [{"Rule": ["Email"]}, {"Rule": ["Phone", "LastName"]}],
    "MaxAllowedRuleLevelForMatching": 2,
    "MaxAllowedRuleLevelForMerging": 1,
    "AttributeTypesSelector": {"AttributeMatchingModel": "ONE_TO_ONE", "EmailAddress": ["EmailAddress"]},
    "ConflictResolution": {"ConflictResolvingModel": "RECENCY"},
}
_MATCHING = {
    "Enabled": True,
    "JobSchedule": {"DayOfTheWeek": "SUNDAY", "Time": "03:00"},
    "AutoMerging": {
        "Enabled": True,
        "Consolidation": {"MatchingAttributesList": [["Email"]]},
        "ConflictResolution": {"ConflictResolvingModel": "SOURCE", "SourceName": "crm"},
        "MinAllowedConfidenceScoreForMerging": 0.75,
    },
}


def run_domains(r: Recorder) -> None:
    r.call("the first", "create_domain", DomainName="shop", DefaultExpirationDays=30)
    r.call(
        "with everything",
        "create_domain",
        DomainName="full",
        DefaultExpirationDays=1098,
        DefaultEncryptionKey="arn:aws:kms:us-east-1:123456789012:key/1",
        DeadLetterQueueUrl="https://sqs.us-east-1.amazonaws.com/123456789012/q",
        Matching=_MATCHING,
        RuleBasedMatching=_RULES,
        DataStore={"Enabled": True},
        Tags={"team": "crm", "size.of:team": "groß"},
    )
    r.call("that exists", "create_domain", DomainName="shop", DefaultExpirationDays=30)
    r.call("without days", "create_domain", DomainName="d1")
    r.call("with 0 days", "create_domain", DomainName="d1", DefaultExpirationDays=0)
    r.call("with too many days", "create_domain", DomainName="d1", DefaultExpirationDays=1099)
    r.call("with text for days", "create_domain", DomainName="d1", DefaultExpirationDays="30")
    r.call("with a bad name", "create_domain", DomainName="no blanks", DefaultExpirationDays=30)
    r.call("with a name too long", "create_domain", DomainName="d" * 65, DefaultExpirationDays=30)
    r.call("with a bad tag", "create_domain", DomainName="d1", DefaultExpirationDays=30, Tags={"": "x", "y": "z" * 257})
    r.call(
        "with contradictory rules",
        "create_domain",
        DomainName="d1",
        DefaultExpirationDays=30,
        RuleBasedMatching=_RULES | {"MaxAllowedRuleLevelForMerging": 3},
    )
    r.call("plain", "get_domain", DomainName="shop")
    r.call("with everything", "get_domain", DomainName="full")
    r.call("unknown", "get_domain", DomainName="nowhere")
    r.call("bad name", "get_domain", DomainName="no/slash")
    r.call("all", "list_domains")
    page = r.call("first page", "list_domains", MaxResults=1)
    r.call("second page", "list_domains", MaxResults=1, NextToken=page["NextToken"])
    r.call("bad token", "list_domains", NextToken="xyz")
    r.call("0 of them", "list_domains", MaxResults=0)
    r.call("101 of them", "list_domains", MaxResults=101)
    r.call("days alone", "update_domain", DomainName="shop", DefaultExpirationDays=60)
    r.call("nothing", "update_domain", DomainName="shop")
    r.call("cleared", "update_domain", DomainName="full", DefaultEncryptionKey="", DeadLetterQueueUrl="")
    r.call("other rules", "update_domain", DomainName="full", RuleBasedMatching={"Enabled": False})
    r.call("store off", "update_domain", DomainName="full", DataStore={"Enabled": False})
    r.call("other tags", "update_domain", DomainName="full", Tags={"team": "web"})
    r.call("unknown", "update_domain", DomainName="nowhere", DefaultExpirationDays=60)
    r.call("with 0 days", "update_domain", DomainName="shop", DefaultExpirationDays=0)
    r.call("after the updates", "get_domain", DomainName="full")

    r.call("two", "tag_resource", resourceArn=_ARN + "shop", tags={"a": "1", "b": "2"})
    r.call("one changed", "tag_resource", resourceArn=_ARN + "shop", tags={"b": "3"})
    r.call("too many", "tag_resource", resourceArn=_ARN + "shop", tags={"t" * n: "" for n in range(1, 50)})
    r.call("none", "tag_resource", resourceArn=_ARN + "shop", tags={})
    r.call("there", "list_tags_for_resource", resourceArn=_ARN + "shop")
    r.call("two", "untag_resource", resourceArn=_ARN + "shop", tagKeys=["a", "missing"])
    r.call("fewer", "list_tags_for_resource", resourceArn=_ARN + "shop")
    operations: list[tuple[str, dict[str, Any]]] = [
        ("tag_resource", {"tags": {"a": "1"}}),
        ("list_tags_for_resource", {}),
    ]
    for operation, more in operations:
        r.call("unknown domain", operation, resourceArn=_ARN + "nowhere", **more)
        r.call("another account", operation, resourceArn=_ARN.replace("12345", "54321") + "shop", **more)
        r.call("no domain", operation, resourceArn=_ARN + "shop/upload-jobs/x", **more)
        r.call("no ARN", operation, resourceArn="shop", **more)

    r.call("to be deleted", "create_domain", DomainName="gone", DefaultExpirationDays=1)
    r.call("deleted", "delete_domain", DomainName="gone")
    r.call("deleted before", "delete_domain", DomainName="gone")
    r.call("deleted", "get_domain", DomainName="gone")
    r.call("again after its end", "create_domain", DomainName="gone", DefaultExpirationDays=2)


def run_profiles(r: Recorder) -> None:
    ada = r.call(
        "with everything",
        "create_profile",
        DomainName="shop",
        AccountNumber="A-1",
        AdditionalInformation="i" * 1000,
        PartyType="INDIVIDUAL",
        BusinessName="Engines Ltd",
        FirstName="Ada",
        MiddleName="King",
        LastName="Lovelace",
        BirthDate="1815-12-10",
        Gender="FEMALE",
        PhoneNumber="(206) 555-0100",
        MobilePhoneNumber="+44 20 7946 0000",
        EmailAddress="Ada@Example.com",
        PersonalEmailAddress="ada@home.example",
        ProfileType="PROFILE",
        Address={"Address1": "1 St James's Square", "City": "London", "Country": "UK"},
        ShippingAddress={"PostalCode": "SW1Y"},
        Attributes={"tier": "gold", "höhe": "1,70"},
        EngagementPreferences={"Phone": [{"KeyName": "PhoneNumber", "KeyValue": "x", "ProfileId": UNKNOWN_ID}]},
    )["ProfileId"]
    bob = r.call("with an e-mail address", "create_profile", DomainName="shop", EmailAddress="bob@example.com")
    bob = bob["ProfileId"]
    cyd = r.call("that shares it", "create_profile", DomainName="shop", EmailAddress=" BOB@example.com ")["ProfileId"]
    eve = r.call("empty", "create_profile", DomainName="shop")["ProfileId"]
    r.call("texts of twins", "create_profile", DomainName="shop", GenderString="DIVERSE", PartyTypeString="BUSINESS")
    r.call("differing twins", "create_profile", DomainName="shop", Gender="MALE", GenderString="FEMALE")
    r.call("nameless attribute", "create_profile", DomainName="shop", Attributes={"": "x"})
    r.call("too long", "create_profile", DomainName="shop", FirstName="x" * 256, Address={"City": "y" * 256})
    r.call("bad enum", "create_profile", DomainName="shop", PartyType="ALIEN", Gender="")
    r.call("number for text", "create_profile", DomainName="shop", FirstName=7)
    r.call("unknown domain", "create_profile", DomainName="nowhere")

    r.call("four and an unknown", "batch_get_profile", DomainName="shop", ProfileIds=[ada, bob, UNKNOWN_ID, eve, ada])
    r.call("none", "batch_get_profile", DomainName="shop", ProfileIds=[])
    r.call("21", "batch_get_profile", DomainName="shop", ProfileIds=[bob] * 21)
    r.call("no id", "batch_get_profile", DomainName="shop", ProfileIds=["bob"])
    r.call("text for a list", "batch_get_profile", DomainName="shop", ProfileIds=bob)
    r.call("unknown domain", "batch_get_profile", DomainName="nowhere", ProfileIds=[bob])

    def search(about: str, key: str, *values: str, domain: str = "shop", **more: Any) -> Any:
        return r.call(about, "search_profiles", DomainName=domain, KeyName=key, Values=list(values), **more)

    search("e-mail", "_email", "ADA@example.COM")
    search("other e-mail", "_email", "ada@home.example")
    search("phone", "_phone", "206.555.0100")
    search("mobile phone", "_phone", "+442079460000")
    search("account", "_account", "a-1")
    search("full name", "_fullName", "ada  king LOVELACE")
    search("id", "_profileId", bob)
    search("unknown id", "_profileId", UNKNOWN_ID, "bob")
    search("key that nobody has", "_order", "1")
    search("nobody", "_email", "nobody@example.com")
    search("two holders", "_email", "bob@example.com", "x", "BOB@EXAMPLE.COM")
    page = search("first page", "_email", "bob@example.com", "ada@example.com", MaxResults=1)
    page = search("second page", "_email", "bob@example.com", MaxResults=1, NextToken=page["NextToken"])
    search("third page", "_email", "bob@example.com", MaxResults=1, NextToken=page["NextToken"])
    also = [{"KeyName": "_account", "Values": ["A-1", "A-2"]}]
    search("any of two keys", "_email", "bob@example.com", AdditionalSearchKeys=also)
    search("any, by name", "_email", "bob@example.com", AdditionalSearchKeys=also, LogicalOperator="OR")
    search("both keys", "_email", "ada@example.com", AdditionalSearchKeys=also, LogicalOperator="AND")
    search("not both keys", "_email", "bob@example.com", AdditionalSearchKeys=also, LogicalOperator="AND")
    search("bad operator", "_email", "x", LogicalOperator="XOR")
    search("too many keys", "_email", "x", AdditionalSearchKeys=also * 5)
    search("too many values", "_email", *(str(n) for n in range(1001)))
    search("no values", "_email")
    search("bad token", "_email", "x", NextToken="xyz")
    search("token of another list", "_email", "x", NextToken=r.quiet.list_domains(MaxResults=1)["NextToken"])
    search("too many results", "_email", "x", MaxResults=1001)
    search("unknown domain", "_email", "x", domain="nowhere")
    r.call("no key", "search_profiles", DomainName="shop", Values=["x"])

    def update(about: str, profile_id: str, **more: Any) -> None:
        r.call(about, "update_profile", DomainName="shop", ProfileId=profile_id, **more)

    update("values", ada, FirstName="Augusta", EmailAddress="", Attributes={"tier": "", "vip": "yes"}, Address={})
    update("a member of an address", ada, Address={"City": "Ockham"})
    update("another gender", ada, GenderString="other")
    update("nothing", bob)
    update("unknown", UNKNOWN_ID, FirstName="x")
    update("no id", "bob", FirstName="x")
    update("too long", bob, FirstName="x" * 256)
    r.call("after the updates", "batch_get_profile", DomainName="shop", ProfileIds=[ada])
    search("e-mail that was removed", "_email", "ada@example.com")
    search("changed name", "_fullName", "Augusta King Lovelace")

    def key(about: str, operation: str, profile_id: str, name: str, *values: str) -> None:
        r.call(about, operation, DomainName="shop", ProfileId=profile_id, KeyName=name, Values=list(values))

    for name, values in (("_loyalty", ("L 1", "L 2")), ("_email", ("ada@work.example",))):
        key(f"of {name}", "add_profile_key", ada, name, *values)
        key(f"of {name}, again", "add_profile_key", ada, name, *values)
        search(f"added {name}", name, *values)
    for operation in ("add_profile_key", "delete_profile_key"):
        key("id", operation, ada, "_profileId", UNKNOWN_ID)
        key("blank", operation, ada, "_email", "x@example.com", " ")
        key("no values", operation, ada, "_email")
        key("bad name", operation, ada, "no blanks", "x")
        key("unknown profile", operation, UNKNOWN_ID, "_email", "x")
    key("one of two", "delete_profile_key", ada, "_loyalty", "L 1")
    key("not there", "delete_profile_key", ada, "_loyalty", "L 1")
    key("that a field has", "delete_profile_key", ada, "_phone", "+12065550100")
    search("deleted key", "_loyalty", "L 1")
    search("key that was left", "_loyalty", "L 2")
    search("phone that was deleted", "_phone", "(206) 555-0100")

    r.call("there", "delete_profile", DomainName="shop", ProfileId=cyd)
    r.call("deleted", "delete_profile", DomainName="shop", ProfileId=cyd)
    r.call("no id", "delete_profile", DomainName="shop", ProfileId="x")
    search("one holder is left", "_email", "bob@example.com")
    r.call("with profiles", "get_domain", DomainName="shop")


_JOB = f"/domains/shop/upload-jobs/{UNKNOWN_ID}"
_JOBS = "/domains/shop/upload-jobs"
_GOOD_JOB: dict[str, Any] = {
    "DisplayName": "d",
    "UniqueKey": "E",
    "Fields": {"E": {"Source": "_source.E", "Target": "_profile.EmailAddress"}},
}


def _job_with(**members: Any) -> bytes:
    return json.dumps({name: value for name, value in (_GOOD_JOB | members).items() if value is not ...}).encode()


# Each: what is wrong, method, path and body.
_MALFORMED: list[tuple[str, str, str, bytes]] = [
    ("no operation", "GET", "/", b""),
    ("no operation of jobs", "GET", _JOB + "/preview", b""),
    ("failed rows", "GET", _JOB + "/failed-rows", b""),
    ("options of a job", "PUT", _JOB + "/options", b"{}"),
    ("mappings", "GET", "/domains/shop/mappings", b""),
    ("webhook", "GET", "/domains/shop/webhook", b""),
    ("webhook", "PUT", "/domains/shop/webhook", b"{}"),
    ("wrong method", "PATCH", "/domains/shop", b"{}"),
    ("wrong method", "DELETE", _JOB, b""),
    ("wrong method", "POST", _JOB, b"{}"),
    ("wrong method", "POST", _JOB + "/stop", b"{}"),
    ("start that AWS has not", "POST", _JOB + "/start", b"{}"),
    ("slash at the end", "GET", "/domains/shop/", b""),
    ("not implemented", "GET", "/domains/shop/matches", b""),
    ("not implemented", "GET", "/domains/shop/workflows/x", b""),
    ("number in a query", "GET", "/domains?max-results=many", b""),
    ("empty token", "GET", "/domains?next-token=", b""),
    ("no JSON", "POST", "/domains/shop/profiles", b"FirstName=x"),
    ("half JSON", "POST", "/domains/shop/profiles", b'{"FirstName": "x"'),
    ("a list", "POST", "/domains/shop/profiles", b"[]"),
    ("not UTF-8", "POST", "/domains/shop/profiles", b'{"FirstName": "\xff"}'),
    ("NUL", "POST", "/domains/shop/profiles", rb'{"FirstName": "a\u0000"}'),
    ("surrogate", "POST", "/domains/shop/profiles", rb'{"FirstName": "\ud800"}'),
    ("deep nesting", "POST", "/domains/shop/profiles", b"[" * 100_000),
    ("unknown members", "POST", "/domains/shop/profiles", b'{"FirstName": "Fay", "Options": {"a": [1]}}'),
    ("no body", "POST", "/domains/shop/profiles", b""),
    ("no body", "POST", _JOBS, b""),
    ("no JSON", "POST", _JOBS, b"x"),
    ("number", "POST", _JOBS, b"7"),
    ("not UTF-8", "POST", _JOBS, b'{"DisplayName": "\xff"}'),
    *((f"no {name}", "POST", _JOBS, _job_with(**{name: ...})) for name in _GOOD_JOB),
    ("empty name", "POST", _JOBS, _job_with(DisplayName="")),
    ("name too long", "POST", _JOBS, _job_with(DisplayName="x" * 256)),
    ("number for a name", "POST", _JOBS, _job_with(DisplayName=1)),
    ("NUL in a name", "POST", _JOBS, _job_with(DisplayName="a\0")),
    ("list for fields", "POST", _JOBS, _job_with(Fields=[])),
    ("text for a field", "POST", _JOBS, _job_with(Fields={"E": "Email"})),
    ("bad name of a field", "POST", _JOBS, _job_with(Fields={"no blanks": {}})),
    ("source too long", "POST", _JOBS, _job_with(Fields={"E": {"Source": "_source." + "x" * 1000}})),
    ("bad content type", "POST", _JOBS, _job_with(Fields={"E": {"ContentType": "TEXT"}})),
    ("empty unique key", "POST", _JOBS, _job_with(UniqueKey="")),
    ("number for the unique key", "POST", _JOBS, _job_with(UniqueKey=1)),
    ("0 days", "POST", _JOBS, _job_with(DataExpiry=0)),
    ("too many days", "POST", _JOBS, _job_with(DataExpiry=1099)),
    ("text for days", "POST", _JOBS, _job_with(DataExpiry="14")),
    ("fraction of a day", "POST", _JOBS, _job_with(DataExpiry=1.5)),
    ("members that AWS has not", "POST", _JOBS, _job_with(Options={"WriteMode": "NONE"}, IdempotencyToken=7)),
    ("bad id", "GET", "/domains/shop/upload-jobs/x", b""),
    ("bad id", "PUT", "/domains/shop/upload-jobs/x", b""),
    ("bad id", "PUT", "/domains/shop/upload-jobs/x/stop", b""),
    ("bad id", "GET", "/domains/shop/upload-jobs/x/path", b""),
    ("body that is not read", "PUT", _JOB, b"\xff"),
    ("token that is not read", "PUT", _JOB, b'{"IdempotencyToken": 7}'),
    ("0 results", "GET", _JOBS + "?max-results=0", b""),
    ("too many results", "GET", _JOBS + "?max-results=101&x", b""),
    ("text for results", "GET", _JOBS + "?max-results=x", b""),
]


def run_malformed_requests(r: Recorder) -> None:
    for about, method, target, body in _MALFORMED:
        r.send(about, method, target, body)


def run_signatures(r: Recorder, limited: tuple[str, str]) -> None:
    admin, secret = r.keys
    r.send("no signature", "GET", "/domains", is_signed=False)
    r.send("no signature, no operation", "GET", "/nothing", is_signed=False)
    r.send("presigned", "GET", "/domains?X-Amz-Signature=x", is_signed=False)
    r.send("no signature, bad body", "POST", "/domains/shop/profiles", b"x", is_signed=False)
    r.send("wrong secret", "GET", "/domains", keys=(admin, secret[:-1] + "!"))
    r.send("unknown key", "GET", "/domains", keys=("OP" + "A" * 18, secret))
    r.send("another service", "GET", "/domains", service="s3")
    r.send("old", "GET", "/domains", moment="20200131T120000Z")
    r.send("early", "GET", "/domains", moment="20990131T120000Z")
    r.send("another day", "GET", "/domains", x_amz_date="20200131T120000Z")
    r.send("no date", "GET", "/domains", x_amz_date=None)
    r.send("bad date", "GET", "/domains", x_amz_date="yesterday")
    r.send("another form", "GET", "/domains", authorization="Basic eDp5")
    r.send("half a signature", "GET", "/domains", authorization="AWS4-HMAC-SHA256 Credential=x")
    r.send("another body", "GET", "/domains", x_amz_content_sha256="UNSIGNED-PAYLOAD")
    r.call("wrong secret", "list_domains", keys=(admin, "x" * 40))

    r.call("by a reader", "get_domain", DomainName="shop", keys=limited)
    r.call("not the reader's", "get_domain", DomainName="full", keys=limited)
    r.call("not there, by a reader", "get_domain", DomainName="nowhere", keys=limited)
    r.call("by a reader", "list_domains", keys=limited)
    r.call("by a reader", "list_upload_jobs", DomainName="shop", keys=limited)
    r.call("by a reader", "create_profile", DomainName="shop", keys=limited)
    r.call("by a reader", "search_profiles", DomainName="shop", KeyName="_email", Values=["x"], keys=limited)
    r.call("by a reader", "create_upload_job", DomainName="shop", **_GOOD_JOB, keys=limited)
    r.call("by a reader", "start_upload_job", DomainName="shop", JobId=UNKNOWN_ID, keys=limited)


def delete_domains(r: Recorder) -> None:
    for name in ("shop", "loads"):
        r.call(f"{name} with all", "delete_domain", DomainName=name)
    r.call("at the end", "list_domains")
    r.call("of a deleted domain", "list_upload_jobs", DomainName="loads")
    r.call("of a deleted domain", "create_upload_job", DomainName="loads", **_GOOD_JOB)
