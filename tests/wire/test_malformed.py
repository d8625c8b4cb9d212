"""Requests that no SDK sends: each is read as it was meant, or refused clearly, and never answered with a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from openprofiles.wire.app import Context, WireApp
from wire.samples import filled_answer
from wire.served import MODEL, HttpAnswer, RawClient, allow_everything, serve, trust_everyone

LIMIT_BYTES = 200_000


@dataclass(frozen=True)
class Service:
    http: RawClient
    seen: list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def served() -> Iterator[Service]:
    seen: list[tuple[str, dict[str, Any]]] = []

    def handle(context: Context[str], request: dict[str, Any]) -> dict[str, Any]:
        seen.append((context.operation, request))
        return filled_answer(MODEL.operations[context.operation])

    app = WireApp(
        MODEL,
        dict.fromkeys(MODEL.operations, handle),
        trust_everyone,
        allow_everything,
        version="1.2.3",
        body_limit_bytes=LIMIT_BYTES,
    )
    with serve(app) as address:
        http = RawClient(address)
        yield Service(http, seen)
        http.close()


@pytest.fixture
def service(served: Service) -> Service:
    served.seen.clear()
    return served


PROFILE = ("POST", "/domains/d/profiles")
UPDATE_DOMAIN = ("PUT", "/domains/d")
PUT_OBJECT_TYPE = ("PUT", "/domains/d/object-types/t")
WORKFLOWS = ("POST", "/domains/d/workflows")
MERGING = ("POST", "/domains/d/identity-resolution-jobs/auto-merging-preview")
ENCODED_ARN = "arn%3Aaws%3Aprofile%3A%3A%3Adomains%2Fx"
SMILEY = "\U0001f600"  # one code point, two UTF-16 units
TUESDAY = datetime(2023, 11, 14, 22, 13, 20, 987000, UTC)
JUST_BEFORE_1970 = datetime(1969, 12, 31, 23, 59, 59, 500000, UTC)
HIDDEN = "/domains/d/integrations?include-hidden="
TAGS = {"resourceArn": "arn:aws:profile:::domains/x", "tagKeys": ["a", "b"]}
DAYS = "DefaultExpirationDays"

# (id, method, target, body, part of the message)
REFUSED: list[tuple[str, str, str, bytes, str]] = [
    # Numbers
    ("boolean for an integer", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": true}', "must be an integer"),
    ("text for an integer", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": "10"}', "must be an integer"),
    ("fraction for an integer", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": 10.9}', "must be an integer"),
    ("overflowing exponent", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": 1e400}', "must be an integer"),
    ("more than 32 bits", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": 4294967296}', "does not fit in 32 bits"),
    ("float beyond 32 bits", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": 1e300}', "does not fit in 32 bits"),
    ("5000 digits", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": ' + b"1" * 5000 + b"}", "not JSON"),
    ("NaN", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": NaN}', "not JSON"),
    ("Infinity", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": -Infinity}', "not JSON"),
    ("NaN in a member that is not known", *UPDATE_DOMAIN, b'{"Unheard": NaN}', "not JSON"),
    ("list for an integer", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": [1]}', "must be an integer"),
    (
        "boolean for a double",
        *MERGING,
        b'{"Consolidation": {}, "MinAllowedConfidenceScoreForMerging": true}',
        "a number",
    ),
    ("huge double", *MERGING, b'{"MinAllowedConfidenceScoreForMerging": 1e400}', "is too large"),
    (
        "whole number too large for a double",
        *MERGING,
        b'{"MinAllowedConfidenceScoreForMerging": 1' + b"0" * 400 + b"}",
        "is too large",
    ),
    # Timestamps
    ("milliseconds", *WORKFLOWS, b'{"QueryStartDate": 1700000000987}', "seconds, not milliseconds"),
    ("endless seconds", *WORKFLOWS, b'{"QueryStartDate": 1e400}', "outside the years"),
    ("huge whole seconds", *WORKFLOWS, b'{"QueryStartDate": ' + b"9" * 400 + b"}", "outside the years"),
    ("before year 1", *WORKFLOWS, b'{"QueryStartDate": -99999999999}', "outside the years"),
    ("ISO 8601 in a body", *WORKFLOWS, b'{"QueryStartDate": "2026-01-31T00:00:00Z"}', "number of seconds"),
    ("boolean for a timestamp", *WORKFLOWS, b'{"QueryStartDate": true}', "number of seconds"),
    # Text
    ("number for text", *PROFILE, b'{"FirstName": 7}', "'FirstName' must be text"),
    ("boolean for text", *PROFILE, b'{"FirstName": false}', "'FirstName' must be text"),
    ("half a surrogate pair", *PROFILE, rb'{"FirstName": "\ud800"}', "surrogate"),
    ("surrogates in the wrong order", *PROFILE, rb'{"FirstName": "\udc00\ud800"}', "surrogate"),
    ("half a surrogate pair in a key", *PROFILE, rb'{"Attributes": {"\ud800": "x"}}', "surrogate"),
    ("NUL", *PROFILE, rb'{"FirstName": "a\u0000b"}', "U+0000"),
    ("NUL in a key", *PROFILE, rb'{"Attributes": {"a\u0000b": "x"}}', "U+0000"),
    ("bytes that are not UTF-8", *PROFILE, b'{"FirstName": "\xff"}', "not JSON in UTF-8"),
    ("UTF-16", *PROFILE, '{"FirstName": "x"}'.encode("utf-16"), "not JSON in UTF-8"),
    ("byte order mark", *PROFILE, b'\xef\xbb\xbf{"FirstName": "x"}', "not JSON in UTF-8"),
    ("256 characters", *PROFILE, b'{"FirstName": "' + b"x" * 256 + b'"}', "less than or equal to 255"),
    ("256 characters outside the BMP", *PROFILE, f'{{"FirstName": "{chr(0x1F600) * 256}"}}'.encode(), "equal to 255"),
    # Bodies
    ("no JSON", *PROFILE, b"FirstName=x", "not JSON"),
    ("half JSON", *PROFILE, b'{"FirstName": "x"', "not JSON in UTF-8, see line 1, column 18."),
    ("more after the JSON", *PROFILE, b"{}\n {}", "not JSON in UTF-8, see line 2, column 2."),
    ("not UTF-8 further down", *PROFILE, '{\n"ëë": "'.encode() + b"\xff", "see line 2, column 8."),
    ("a list as body", *PROFILE, b"[]", "must be a JSON object"),
    ("null as body", *PROFILE, b"null", "must be a JSON object"),
    ("text as body", *PROFILE, b'"x"', "must be a JSON object"),
    ("deep nesting", *PROFILE, b"[" * 100_000, "nested too deeply"),
    ("deep nesting of objects", *PROFILE, b'{"a":' * 30_000 + b"1" + b"}" * 30_000, "nested too deeply"),
    ("list for a structure", *PROFILE, b'{"Address": []}', "'Address' must be an object"),
    ("text for a map", *PROFILE, b'{"Attributes": "x"}', "'Attributes' must be an object"),
    (
        "object for a list",
        "POST",
        "/domains/d/batch-get-profiles",
        b'{"ProfileIds": {}}',
        "'ProfileIds' must be a list",
    ),
    (
        "null in a list",
        "POST",
        "/domains/d/batch-get-profiles",
        b'{"ProfileIds": [null]}',
        "'ProfileIds[0]' must be text",
    ),
    ("null in a map", *PROFILE, b'{"Attributes": {"a": null}}', "'Attributes[0]' must be text"),
    # Constraints
    (
        "required member missing",
        "POST",
        "/domains/d",
        b"{}",
        "'DefaultExpirationDays' failed to satisfy constraint: Member must not be null",
    ),
    ("required member null", "POST", "/domains/d", b'{"DefaultExpirationDays": null}', "Member must not be null"),
    ("no body where one is required", "POST", "/domains/d", b"", "Member must not be null"),
    ("below the minimum", "POST", "/domains/d", b'{"DefaultExpirationDays": 0}', "greater than or equal to 1"),
    ("above the maximum", "POST", "/domains/d", b'{"DefaultExpirationDays": 1099}', "less than or equal to 1098"),
    ("not in the enum", *PROFILE, b'{"PartyType": "ALIEN"}', "Member must satisfy enum value set: [INDIVIDUAL"),
    ("name with a newline at the end", "GET", "/domains/abc%0A", b"", "regular expression pattern"),
    ("name in another script", "GET", "/domains/%D9%A1", b"", "regular expression pattern"),
    ("id within longer text", "GET", f"/domains/d/upload-jobs/x{'a' * 32}", b"", "'JobId'"),
    ("name too long", "GET", f"/domains/{'a' * 65}", b"", "less than or equal to 64"),
    # Paths and queries
    ("label that is not UTF-8", "GET", "/domains/%FF", b"", "'DomainName' is not UTF-8"),
    ("label with a broken escape", "GET", "/domains/a%zz", b"", "percent-encoded"),
    ("label with NUL", "GET", "/domains/a%00", b"", "U+0000"),
    ("label with an encoded surrogate", "GET", "/domains/%ED%A0%80", b"", "not UTF-8"),
    ("overlong encoding of a slash", "GET", "/domains/%C0%AF", b"", "not UTF-8"),
    ("underscore in a number", "GET", "/domains?max-results=5_0", b"", "'MaxResults' must be an integer"),
    ("Arabic digits", "GET", "/domains?max-results=%D9%A1", b"", "must be an integer"),
    ("blank before a number", "GET", "/domains?max-results=+5", b"", "must be an integer"),
    ("plus sign", "GET", "/domains?max-results=%2B5", b"", "must be an integer"),
    ("fraction in a query", "GET", "/domains?max-results=5.0", b"", "must be an integer"),
    ("empty number", "GET", "/domains?max-results=", b"", "must be an integer"),
    ("name without a value", "GET", "/domains?max-results", b"", "must be an integer"),
    ("huge number", "GET", "/domains?max-results=99999999999999999999", b"", "32 bits"),
    ("number given twice", "GET", "/domains?max-results=5&max-results=6", b"", "appears 2 times"),
    ("empty token", "GET", "/domains?next-token=", b"", "'NextToken' failed to satisfy constraint"),
    ("broken escape in a query", "GET", "/domains?next-token=%G0", b"", "percent-encoded"),
    ("query that is not UTF-8", "GET", "/domains?next-token=%FF", b"", "not UTF-8"),
    ("NUL in a query", "GET", "/domains?next-token=%00", b"", "U+0000"),
    ("junk for a boolean", "GET", f"{HIDDEN}junk", b"", "must be true or false"),
    ("capital boolean", "GET", f"{HIDDEN}True", b"", "must be true or false"),
    ("number for a boolean", "GET", f"{HIDDEN}1", b"", "must be true or false"),
]


@pytest.mark.parametrize(
    ("method", "target", "body", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_malformed_request_is_a_bad_request(
    service: Service, method: str, target: str, body: bytes, message: str
) -> None:
    answer = service.http.send(method, target, body)

    assert (answer.status, answer.error_code) == (400, "BadRequestException")
    assert message in answer.message
    assert service.seen == []


# (id, method, target, body, operation, what the handler sees beside the DomainName)
READ: list[tuple[str, str, str, bytes, str, dict[str, Any]]] = [
    ("10.0 is 10", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": 10.0}', "UpdateDomain", {DAYS: 10}),
    ("1e1 is 10", *UPDATE_DOMAIN, b'{"DefaultExpirationDays": 1e1}', "UpdateDomain", {DAYS: 10}),
    ("null is absent", *PROFILE, b'{"FirstName": null, "LastName": "x"}', "CreateProfile", {"LastName": "x"}),
    ("unknown member", *PROFILE, b'{"Unheard": {"a": [1]}, "LastName": "x"}', "CreateProfile", {"LastName": "x"}),
    ("last of two keys", *PROFILE, b'{"LastName": "x", "LastName": "y"}', "CreateProfile", {"LastName": "y"}),
    ("no body", *PROFILE, b"", "CreateProfile", {}),
    (
        "255 characters outside the BMP",
        *PROFILE,
        f'{{"LastName": "{SMILEY * 255}"}}'.encode(),
        "CreateProfile",
        {"LastName": SMILEY * 255},
    ),
    ("surrogate pair", *PROFILE, rb'{"LastName": "\ud83d\ude00"}', "CreateProfile", {"LastName": SMILEY}),
    (
        "fraction of a second",
        *WORKFLOWS,
        b'{"QueryStartDate": 1700000000.987}',
        "ListWorkflows",
        {"QueryStartDate": TUESDAY},
    ),
    (
        "before 1970",
        *WORKFLOWS,
        b'{"QueryStartDate": -0.5}',
        "ListWorkflows",
        {"QueryStartDate": JUST_BEFORE_1970},
    ),
    (
        "hidden false",
        "GET",
        f"{HIDDEN}false",
        b"",
        "ListIntegrations",
        {"IncludeHidden": False},
    ),
    (
        "hidden true",
        "GET",
        f"{HIDDEN}true",
        b"",
        "ListIntegrations",
        {"IncludeHidden": True},
    ),
    ("slash at the end", "GET", "/domains/a/", b"", "GetDomain", {"DomainName": "a"}),
    ("unknown query", "GET", "/domains/a?x=1&&y", b"", "GetDomain", {"DomainName": "a"}),
    ("body that is not looked at", "GET", "/domains/a", b"\xff not JSON", "GetDomain", {"DomainName": "a"}),
    ("encoded letter", "GET", "/domains/%61", b"", "GetDomain", {"DomainName": "a"}),
    ("plus in a query is a blank", "GET", "/domains?next-token=a+b%2Bc", b"", "ListDomains", {"NextToken": "a b+c"}),
    (
        "repeated key of a list",
        "DELETE",
        f"/tags/{ENCODED_ARN}?tagKeys=a&tagKeys=b",
        b"",
        "UntagResource",
        TAGS,
    ),
]


@pytest.mark.parametrize(
    ("method", "target", "body", "operation", "expected"), [row[1:] for row in READ], ids=[row[0] for row in READ]
)
def test_an_odd_request_is_read_as_it_was_meant(
    service: Service, method: str, target: str, body: bytes, operation: str, expected: dict[str, Any]
) -> None:
    answer = service.http.send(method, target, body)

    assert answer.status == MODEL.operations[operation].status
    [(called, request)] = service.seen
    assert called == operation
    assert {name: value for name, value in request.items() if name in expected or name != "DomainName"} == expected


NO_ROUTE = [
    ("DELETE", "/domains/a/whatever/else"),
    ("GET", "/"),
    ("GET", "//"),
    ("GET", "/domain"),
    ("GET", "/Domains"),
    ("GET", "/domains//integrations"),
    ("GET", "//domains"),
    ("GET", "/domains/a//"),
    ("GET", "/domains/./integrations"),
    ("GET", "/domains/a/../b"),
    ("GET", "/domains/d/upload-jobs/"),
    ("GET", "/domains/a%2Fintegrations/b"),
    ("GET", "/tags/arn:aws:profile:::domains/x"),
    ("HEAD", "/domains/a"),
    ("OPTIONS", "/domains/a"),
    ("PATCH", "/domains/a"),
    ("TRACE", "/domains/a"),
]


@pytest.mark.parametrize(("method", "target"), NO_ROUTE, ids=[" ".join(row) for row in NO_ROUTE])
def test_a_path_that_is_not_exactly_an_operations_is_not_found(service: Service, method: str, target: str) -> None:
    answer = service.http.send(method, target)

    assert (answer.status, answer.error_code) == (404, "UnknownOperationException")
    assert service.seen == []


def test_every_violation_is_reported_with_its_path(service: Service) -> None:
    body = b'{"Description": "x", "Fields": {"Email": {"Target": "' + b"t" * 1001 + b'"}, "a b": {}}}'

    answer = service.http.send(*PUT_OBJECT_TYPE, body)

    assert answer.message == (
        "2 validation errors detected: Value at 'Fields.Email.Target' failed to satisfy constraint: Member must have "
        "length less than or equal to 1000; Value at 'Fields[1]' failed to satisfy constraint: Map keys must satisfy "
        "constraint: [Member must satisfy regular expression pattern: ^[a-zA-Z0-9_.-]+$]"
    )


def test_no_refusal_repeats_a_value(service: Service) -> None:
    secret = "Geheimnis"
    bodies = [
        f'{{"PartyType": "{secret}"}}',
        f'{{"FirstName": "{secret * 40}"}}',
        f'{{"Attributes": {{"{secret}": 7}}}}',
        f'{{"Attributes": {{"{secret}": "{"x" * 256}"}}}}',
        f'{{"Attributes": {{"{secret * 40}": "x"}}}}',
        f'{{"FirstName": "{secret}\\u0000"}}',
        f'{{"FirstName": "{secret}',
    ]
    targets = [f"/domains/{secret}%20", f"/domains?max-results={secret}", f"/{secret}"]

    answers = [service.http.send(*PROFILE, body.encode()) for body in bodies]
    answers += [service.http.send("GET", target) for target in targets]

    for answer in answers:
        assert answer.status in (400, 404)
        assert secret not in answer.message


def test_a_million_violations_are_cut_short(service: Service) -> None:
    body = b'{"ProfileIds": [' + b'"",' * 60_000 + b'""]}'

    too_many_elements = service.http.send("POST", "/domains/d/batch-get-profiles", body)
    too_many_errors = service.http.send("PUT", "/domains/d/object-types/t", _fields_with_bad_targets(500))

    assert too_many_elements.message.startswith("1 validation error detected: Value at 'ProfileIds'")
    assert too_many_errors.message.startswith("More than 100 validation errors detected: ")
    assert len(too_many_errors.body) < 20_000


def _fields_with_bad_targets(count: int) -> bytes:
    fields = ",".join(f'"f{number}": {{"ContentType": "NOPE"}}' for number in range(count))
    return f'{{"Description": "x", "Fields": {{{fields}}}}}'.encode()


def _assert_too_large(answer: HttpAnswer) -> None:
    assert (answer.status, answer.error_code) == (413, "RequestEntityTooLargeException")
    assert "200000 bytes" in answer.message


def test_a_body_over_the_limit_is_refused_by_its_declared_length(service: Service) -> None:
    answer = service.http.send(*PROFILE, b"x" * (LIMIT_BYTES + 1))

    _assert_too_large(answer)


def test_a_chunked_body_over_the_limit_is_refused_by_what_arrives(service: Service) -> None:
    connection = RawClient(service.http.address)
    chunk = b"x" * 50_000
    framed = b"%x\r\n%s\r\n" % (len(chunk), chunk)

    answer = connection.send(*PROFILE, framed * 5 + b"0\r\n\r\n", {"Transfer-Encoding": "chunked"})

    connection.close()
    _assert_too_large(answer)


def test_a_body_at_the_limit_is_read(service: Service) -> None:
    body = b'{"LastName": "x"}'

    answer = service.http.send(*PROFILE, body + b" " * (LIMIT_BYTES - len(body)))

    assert answer.status == 200
    assert service.seen == [("CreateProfile", {"DomainName": "d", "LastName": "x"})]
