"""The commands for objects, on a data folder and through a server, with the same results."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import boto3
import pytest

from acceptance.running import RunningServer, run_command, running_server
from openapi_document import validator
from openprofiles.client import Client

CUSTOMERS = {
    "Description": "Customers",
    "AllowProfileCreation": True,
    "SourcePriority": 1,
    "Fields": {
        "id": {"Source": "_source.id"},
        "mail": {"Source": "_source.mail", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
        "first": {"Source": "_source.first", "Target": "_profile.FirstName"},
    },
    "Keys": {
        "shopId": [{"StandardIdentifiers": ["PROFILE", "UNIQUE"], "FieldNames": ["id"]}],
        "_email": [{"StandardIdentifiers": ["PROFILE", "SECONDARY"], "FieldNames": ["mail"]}],
    },
}
LINES = ['{"id": 1, "mail": "ada@x.org", "first": "Ada"}', "", "no JSON", '{"id": 2, "mail": "bob@x.org"}']

pytestmark = pytest.mark.usefixtures("quick_servers")

Run = Callable[..., CompletedProcess[str]]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("commands") / "data", "--workers", "0") as running:
        yield running


@pytest.fixture(params=["directly", "through a server"])
def run(request: pytest.FixtureRequest, server: RunningServer, tmp_path: Path) -> Run:
    """Run a command on a domain of its own."""
    domain = f"shop-{next(_numbers)}"
    if request.param == "through a server":
        server.client().create_domain(DomainName=domain, DefaultExpirationDays=30)
        where = server.variables()
    else:
        (tmp_path / "first.csv").write_text("Email\nzoe@x.org\n")
        where = {"OPENPROFILES_DATA": str(tmp_path / "data")}
        run_command("import", tmp_path / "first.csv", "--unique-key", "Email", "--domain", domain, **where)

    def run_here(*arguments: str | Path, domain: str = domain) -> CompletedProcess[str]:
        return run_command(*arguments, "--domain", domain, **where)

    return run_here


@pytest.mark.daily_on("through a server")
def test_objects_are_defined_ingested_explained_and_followed(run: Run, tmp_path: Path) -> None:
    definition, objects, one = tmp_path / "customers.json", tmp_path / "objects.jsonl", tmp_path / "one.json"
    definition.write_text(json.dumps(CUSTOMERS))
    objects.write_text("\n".join(LINES))
    one.write_text('{"id": 9, "mail": "ada@x.org", "first": "Eve"}')

    put_type = run("object-types", "put", "Customers", definition)
    shown = run("object-types", "show", "Customers")
    listed = run("object-types", "list")
    put = run("objects", "put", "Customers", objects)
    explained = run("objects", "explain", "Customers", one)
    lineage = run("lineage", "ada@x.org")
    of_profile = run("objects", "list", "Customers", "ada@x.org", "--output", "json")

    assert put_type.stdout == "The object type Customers has 3 fields and 2 keys.\n", put_type.stderr
    assert json.loads(shown.stdout) == CUSTOMERS
    assert listed.stdout.splitlines()[1].split()[:3] == ["Customers", "Customers", "1"]
    assert (put.returncode, put.stdout) == (1, "Ingested 2 objects of the type Customers; 1 rejected.\n")
    assert put.stderr == "line 3: Could not parse object string into JSON\n"
    assert explained.stdout.splitlines()[1:] == [
        "  key shopId: no profile",
        "  key _email: one profile, which decides",
        "  EmailAddress: has this value already",
        "  FirstName: Ada -> Eve",
    ]
    assert explained.stdout.startswith("It would join the profile ")
    assert [line.split()[:3] for line in lineage.stdout.splitlines()] == [
        ["FIELD", "FROM", "TYPE"],
        ["EmailAddress", "object", "Customers"],
        ["FirstName", "object", "Customers"],
    ]
    (found,) = json.loads(of_profile.stdout)
    assert found["object"] == {"id": 1, "mail": "ada@x.org", "first": "Ada"}

    deleted = run("objects", "delete", "Customers", "ada@x.org", found["unique_key"])
    assert deleted.stdout == "The object has been deleted.\n", deleted.stderr
    assert (
        run("objects", "list", "Customers", "ada@x.org").stderr == "The profile has no object of the type Customers.\n"
    )
    history = run("history", "ada@x.org")
    assert [
        any(words in line for line in history.stdout.splitlines())
        for words in ("Customers object ingested", "Customers object deleted")
    ] == [True, True], history.stdout
    (of_bob,) = json.loads(run("objects", "list", "Customers", "bob@x.org", "--output", "json").stdout)
    scrubbed = run("objects", "delete", "Customers", "bob@x.org", of_bob["unique_key"], "--scrub")
    assert scrubbed.stdout == "The object has been deleted.\n", scrubbed.stderr
    assert "No profile of the domain" in run("lineage", "bob@x.org").stderr
    gone = run("object-types", "delete", "Customers", "--yes")
    assert gone.stdout == "The object type Customers has been deleted. A worker removes its objects.\n"
    assert run("object-types", "list").stderr.endswith(" has no object type.\n")


@pytest.mark.daily_on("through a server")
def test_dead_letters_are_listed_retried_and_deleted(run: Run, tmp_path: Path) -> None:
    definition, objects = tmp_path / "visits.json", tmp_path / "objects.jsonl"
    definition.write_text(json.dumps({**CUSTOMERS, "AllowProfileCreation": False}))
    objects.write_text('{"id": 1}\n{"id": 2}\n{"id": 3}\n')
    run("object-types", "put", "Visits", definition)
    put = run("objects", "put", "Visits", objects)
    listed = run("dead-letters", "list", "--output", "json")
    first, second, third = (one["DeadLetterId"] for one in json.loads(listed.stdout))

    fixed = tmp_path / "fixed.json"
    fixed.write_text('{"id": 1, "first": "Fixed"}')
    tried = run("dead-letters", "retry", first, "--object", fixed)
    shown = run("dead-letters", "show", first)
    again = run("dead-letters", "retry", first)
    definition.write_text(json.dumps(CUSTOMERS))
    run("object-types", "put", "Visits", definition)
    deleted = run("dead-letters", "delete", second)
    all_of_them = run("dead-letters", "retry", "--all")

    assert (put.returncode, put.stdout) == (
        1,
        "Ingested 0 objects of the type Visits; 3 found no profile (openprofiles dead-letters list); 0 rejected.\n",
    )
    assert shown.stdout.splitlines() == [
        f"Dead letter {first}, an object of the type Visits",
        "No key of this object finds a profile, and its object type does not create profiles.",
        '{"id": 1, "first": "Fixed"}',
    ]
    assert (tried.returncode, tried.stdout) == (again.returncode, again.stdout)
    assert "needs the id of one" in run("dead-letters", "retry", "--all", "--object", fixed).stderr
    assert (again.returncode, again.stdout) == (1, "Ingested: 0. Rejected again: 1.\n")
    assert deleted.stdout == f"The dead letter {second} has been deleted.\n"
    assert (all_of_them.returncode, all_of_them.stdout) == (0, "Ingested: 2. Rejected again: 0.\n")
    assert run("dead-letters", "list").stderr.endswith(" has no dead letter.\n")
    assert f"has no dead letter {third}" in run("dead-letters", "show", third).stderr
    assert run("dead-letters", "retry").returncode == 2
    missing = run("dead-letters", "retry", third, "999", "abc")
    assert (missing.returncode, missing.stdout) == (1, "Ingested: 0. Rejected again: 3.\n")
    assert "abc: Domain" in missing.stderr
    assert "999: " in missing.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["lineage", "ada@x.org"],
        ["history", "ada@x.org"],
        ["object-types", "list"],
        ["objects", "list", "Visits", "ada@x.org"],
        ["dead-letters", "list"],
        ["dead-letters", "retry", "1"],
        ["mappings", "list"],
    ],
    ids=" ".join,
)
def test_each_command_names_the_domain_that_a_mistyped_one_may_mean(run: Run, arguments: list[str]) -> None:
    mistyped = run(*arguments, domain="shop-")

    assert mistyped.returncode == 2
    assert mistyped.stderr.startswith("Error: There is no domain shop-. Did you mean 'shop-")


def test_the_lines_after_an_object_that_is_too_large_are_ingested(run: Run, tmp_path: Path) -> None:
    definition, objects = tmp_path / "customers.json", tmp_path / "objects.jsonl"
    definition.write_text(json.dumps(CUSTOMERS))
    large = json.dumps({"id": "large", "note": "x" * 300_000})
    objects.write_text("\n".join(['{"id": 1}', large, '{"id": 3}\0', "\N{NO-BREAK SPACE}", '{"id": 5}']), "utf-8")
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "pretty.json").write_text(json.dumps({"id": 1}, indent=2))
    run("object-types", "put", "Customers", definition)

    put = run("objects", "put", "Customers", objects)
    empty = run("objects", "put", "Customers", tmp_path / "empty.jsonl")
    pretty = run("objects", "put", "Customers", tmp_path / "pretty.json")

    assert (put.returncode, put.stdout) == (1, "Ingested 2 objects of the type Customers; 2 rejected.\n")
    assert put.stderr.splitlines() == [
        "line 2: The object is larger than 256,000 bytes.",
        "line 3: The line contains the character U+0000.",
    ]
    assert (empty.returncode, empty.stderr) == (0, f"There are no objects in {tmp_path / 'empty.jsonl'}.\n")
    assert "The file must have one JSON object per line. `jq -c . FILE` writes objects so" in pretty.stderr


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({"Fields": ["id"]}, "Value at 'Fields' must be an object."),
        ({"Fields": {"id": "_source.id"}}, "Value at 'Fields.id' must be an object."),
        ({"Keys": {"k": {"FieldNames": ["id"]}}}, "Value at 'Keys.k' must be a list."),
        ({"Fields": {"id": {"Source": 5}}}, "Value at 'Fields.id.Source' must be text."),
        (
            {"Fields": {"id": {"Taget": "_profile.FirstName"}}},
            "There is no member 'Fields.id.Taget'. The members there are ContentType, Source, Target.",
        ),
        ({"ExpirationDays": "ten"}, "Value at 'ExpirationDays' must be an integer."),
        ({"AllowProfileCreation": "false"}, "Value at 'AllowProfileCreation' must be true or false."),
        (
            {"SourcePriority": 0},
            "Value at 'SourcePriority' failed to satisfy constraint: Member must have value greater",
        ),
        ({"Fields": {"id": {"ContentType": "EMAIL"}}}, "Member must satisfy enum value set: ["),
    ],
)
def test_a_definition_that_the_api_does_not_accept_is_refused_by_member(
    server: RunningServer, tmp_path: Path, definition: dict[str, Any], message: str
) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(definition))
    refused = run_command(
        "object-types", "put", "Wrong", file, "--domain", "shop", OPENPROFILES_ENDPOINT_URL=server.url
    )

    assert refused.returncode == 2
    assert message in refused.stderr
    assert refused.stderr.startswith(f"Error: {file}: ")


def test_a_name_that_the_api_does_not_accept_is_refused_with_the_same_words(run: Run, tmp_path: Path) -> None:
    (tmp_path / "type.json").write_text('{"Description": null}')

    for words in (("show", "Bad Name"), ("put", "Bad Name", tmp_path / "type.json")):
        refused = run("object-types", *words)
        assert refused.returncode == 2
        assert refused.stderr.startswith("Error: 1 validation error detected: Value at 'ObjectTypeName' failed to ")
    assert "No profile of the domain" in run("lineage", "x" * 300).stderr


def test_objects_are_put_with_a_key_that_may_not_see_dead_letters(server: RunningServer, tmp_path: Path) -> None:
    client = server.client()
    client.create_domain(DomainName="narrow", DefaultExpirationDays=30)
    client.put_profile_object_type(DomainName="narrow", ObjectTypeName="Customers", **CUSTOMERS)
    made = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "narrow", "--output", "json",
        "--action", "profile:BatchPutProfileObject",
    )  # fmt: skip
    credential = json.loads(made.stdout)
    (tmp_path / "objects.jsonl").write_text('{"id": 1}\n')

    put = run_command(
        "objects", "put", "Customers", tmp_path / "objects.jsonl", "--domain", "narrow",
        OPENPROFILES_ENDPOINT_URL=server.url,
        AWS_ACCESS_KEY_ID=credential["access_key_id"],
        AWS_SECRET_ACCESS_KEY=credential["secret_access_key"],
        AWS_DEFAULT_REGION="us-east-1",
    )  # fmt: skip

    assert (put.returncode, put.stdout) == (0, "Ingested 1 object of the type Customers; 0 rejected.\n")
    assert put.stderr.startswith("How many of them found no profile is not known. The server refused ")


def test_templates_are_shown_and_a_definition_is_detected(run: Run, tmp_path: Path) -> None:
    samples, wrong = tmp_path / "samples.jsonl", tmp_path / "wrong.json"
    samples.write_text('{"order_id": "A", "email": "a@x.org"}\n{"order_id": "B", "email": "b@x.org"}\n')
    wrong.write_text('{"Descripton": "x"}')

    template = json.loads(run("object-types", "templates", "Shopify-Order").stdout)
    detected = run("object-types", "detect", samples)
    (tmp_path / "detected.json").write_text(detected.stdout)
    put = run("object-types", "put", "Orders", tmp_path / "detected.json")

    assert len(run("object-types", "templates").stdout.split()) == 41
    assert "_shopifyOrderId" in template["Keys"]
    assert put.stdout == "The object type Orders has 2 fields and 2 keys.\n"
    assert (
        "has the member Descripton, which PutProfileObjectType does not take"
        in run("object-types", "put", "Wrong", wrong).stderr
    )


def test_the_documents_of_the_server_are_those_of_the_description(server: RunningServer) -> None:
    aws = server.client()
    key_id, secret = server.admin()
    session = boto3.Session(aws_access_key_id=key_id, aws_secret_access_key=secret, region_name="us-east-1")
    client = Client(session, server.url)
    aws.create_domain(DomainName="documents", DefaultExpirationDays=30)
    aws.put_profile_object_type(DomainName="documents", ObjectTypeName="A", **CUSTOMERS)
    closed = {**CUSTOMERS, "AllowProfileCreation": False}
    aws.put_profile_object_type(DomainName="documents", ObjectTypeName="B", **closed)
    aws.put_profile_object(DomainName="documents", ObjectTypeName="A", Object=LINES[0])
    aws.put_profile_object(DomainName="documents", ObjectTypeName="B", Object='{"id": 5}')
    (profile,) = aws.search_profiles(DomainName="documents", KeyName="shopId", Values=["1"])["Items"]

    def check(schema: str, document: Any) -> Any:
        validator(schema).validate(document)
        return document

    check("Explanation", client.explain_object("documents", "B", '{"id": 7}'))
    check("Explanation", client.explain_object("documents", "A", LINES[0]))
    check("Lineage", client.get_lineage("documents", profile["ProfileId"]))
    (letter,) = client.list_dead_letters("documents")
    check("DeadLetter", letter)
    whole = check("DeadLetter", client.get_dead_letter("documents", letter["DeadLetterId"]))
    retried = check("Retry", client.retry_dead_letter("documents", letter["DeadLetterId"]))
    assert (whole["Object"], retried["Ingested"]) == ('{"id": 5}', False)
    client.delete_dead_letter("documents", letter["DeadLetterId"])
    assert list(client.list_dead_letters("documents")) == []
