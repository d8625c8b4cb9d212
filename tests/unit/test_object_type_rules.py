"""The rules for definitions of object types, each with its message."""

from __future__ import annotations

from typing import Any

import pytest

from openprofiles.errors import InvalidRequest
from openprofiles.objects.object_types import compile_object_type
from openprofiles.objects.standard_objects import standard_objects
from openprofiles.objects.templates import templates
from openprofiles.wire.given_requests import read_structure
from openprofiles.wire.model import load_model


def definition(fields: dict[str, Any] | None = None, keys: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a definition with a field and a key that is enough, and what is given."""
    return {
        "Fields": {"id": {"Source": "_source.id"}, **(fields or {})},
        "Keys": {"crmId": [key("PROFILE", "UNIQUE")]} if keys is None else keys,
        **more,
    }


def key(*identifiers: str, fields: tuple[str, ...] = ("id",)) -> dict[str, Any]:
    return {"StandardIdentifiers": list(identifiers), "FieldNames": list(fields)}


def field(target: str = "", source: str = "_source.x", **more: str) -> dict[str, str]:
    return {"Source": source, **({"Target": target} if target else {}), **more}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(definition(), id="the smallest"),
        pytest.param(
            definition(keys={"a": [key("UNIQUE")], "_profileId": [key("PROFILE", "LOOKUP_ONLY")]}),
            id="a profile id as the only profile key",
        ),
        pytest.param(
            definition(
                keys={
                    "_email": [key("PROFILE", "LOOKUP_ONLY")],
                    "ticketEmail": [key("PROFILE", "SECONDARY", "NEW_ONLY")],
                    "ticket": [key("UNIQUE")],
                },
                AllowProfileCreation=True,
            ),
            id="the published example of tickets",
        ),
        pytest.param(
            definition(keys={"a": [key("UNIQUE", "ASSET")], "b": [key("PROFILE")]}), id="an asset key, no target"
        ),
        pytest.param(
            definition({"s": field("_contact.Any")}, {"a": [key("UNIQUE", "PROFILE", "CONTACT")]}), id="a contact"
        ),
        pytest.param(definition({"e": field("_communicationRecord.Events.x.At")}), id="a record without a key"),
        pytest.param(
            definition(
                {"t": field("_profile.SourceLastUpdatedTimestamp")}, SourceLastUpdatedTimestampFormat="EpochMilli"
            ),
            id="a timestamp with its format",
        ),
        pytest.param(definition(SourceLastUpdatedTimestampFormat="yyyy"), id="a format without a timestamp"),
        pytest.param(
            definition({"a": field("_profile.FirstName"), "b": field("_profile.FirstName")}), id="a target twice"
        ),
        pytest.param(definition({"a": field("_profile.Attributes." + "x" * 255)}), id="a long name of an attribute"),
        pytest.param(definition({"g": field("_profile.Gender")}), id="the enum twin"),
    ],
)
def test_a_definition_that_follows_the_rules_is_accepted(given: dict[str, Any]) -> None:
    assert compile_object_type(given).unique_key is not None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (definition(keys={}), "Exactly one key must have the identifier UNIQUE"),
        (definition(keys={"a": [key("UNIQUE", "PROFILE")], "b": [key("UNIQUE")]}), "2 have it"),
        (definition(keys={"a": [key("UNIQUE", "PROFILE"), key("UNIQUE")]}), "2 have it"),
        (definition(keys={"a": [key("UNIQUE")]}), "At least one key must have the identifier PROFILE"),
        (
            definition(keys={"a": [key("UNIQUE", "PROFILE", "LOOKUP_ONLY")]}),
            "Keys.a: a key that is UNIQUE cannot be LOOKUP_ONLY",
        ),
        (
            definition(keys={"a": [key("UNIQUE", "PROFILE", "NEW_ONLY")]}),
            "Keys.a: a key that is UNIQUE cannot be NEW_ONLY",
        ),
        (
            definition(keys={"a": [key("UNIQUE", "PROFILE"), key("SECONDARY")]}),
            "Keys.a: SECONDARY is possible only together",
        ),
        (
            definition(keys={"a": [key("UNIQUE", "PROFILE")], "_profileId": [key("PROFILE")]}),
            "Keys._profileId: the service",
        ),
        (definition(keys={"a": [key("UNIQUE", "PROFILE")], "_orderId": [key("ORDER")]}), "Keys._orderId: the service"),
        (definition(keys={"a": [key("UNIQUE", "PROFILE", fields=())]}), "Keys.a: FieldNames is empty"),
        (definition(keys={"a": [key("UNIQUE", "PROFILE", fields=("no",))]}), "Keys.a: the field no is not in Fields"),
        (definition(keys={"Tags": [key("UNIQUE", "PROFILE")]}), "Keys: the name Tags is not possible"),
        (definition(keys={"1a": [key("UNIQUE", "PROFILE")]}), "Keys: the name 1a is not possible"),
        (definition(keys={"a": [key("UNIQUE", "PROFILE"), *[key()] * 10]}), "Keys has 11 keys"),
        (
            definition(keys={"a": [key("UNIQUE")], "b": [key("PROFILE", "LOOKUP_ONLY")]}, AllowProfileCreation=True),
            "All PROFILE keys are LOOKUP_ONLY",
        ),
        (definition({f"f{n}": field() for n in range(250)}), "Fields has 251 fields"),
        (definition({"tags": field()}), "Fields: the name tags is not possible"),
        (definition({"1": field()}), "Fields: the name 1 is not possible"),
        (definition({"a": {"Target": "_profile.FirstName"}}), "Fields.a: Source is missing"),
        (definition({"a": field(source="{{#if x}}secret")}), "Fields.a: Source leaves the block if open"),
        (definition({"a": field("_profile.ProfileId")}), "Fields.a: _profile.ProfileId is set by the service"),
        (definition({"a": field("_profile.FoundByItems[]")}), "set by the service"),
        (definition({"a": field("_profile.Foo")}), "Fields.a: _profile.Foo is not a field of the standard profile"),
        (definition({"a": field("_profile")}), "names no field of _profile"),
        (definition({"a": field("_profile.Attributes.")}), "names no field of _profile"),
        (definition({"a": field("_profile.Attributes." + "x" * 256)}), "the name of the attribute has 256 characters"),
        (definition({"a": field("_foo.Bar")}), "Fields.a: Target must begin with _profile."),
        (definition({"a": field("FirstName")}), "Fields.a: Target must begin with _profile."),
        (definition({"a": field("_asset.AssetId")}), "_asset.AssetId is set by the service"),
        (definition({"a": field("_asset.Colour")}), "Use _asset.Attributes.Colour instead"),
        (definition({"a": field("_asset.SerialNumber")}), "Fields write to _asset, so at least one key must be ASSET"),
        (definition({"a": field("_profile.Gender"), "b": field("_profile.GenderString")}), "both _profile.Gender and"),
        (definition({"a": field("_profile.PartyType"), "b": field("_profile.PartyTypeString")}), "Choose one of them"),
        (
            definition({"a": field("_profile.SourceLastUpdatedTimestamp")}),
            "SourceLastUpdatedTimestampFormat is required",
        ),
    ],
)
def test_a_definition_that_breaks_a_rule_is_refused_with_the_field_or_key(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        compile_object_type(given)

    assert message in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "source", ["{{#if _source.secret}}x", "{{#secret}}{{/secret}}", "source.secret", "_source.secret..", "_source."]
)
def test_a_source_that_cannot_be_read_is_refused_with_its_field_and_not_quoted(source: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^Fields\.a: Source ") as error:
        compile_object_type(definition({"a": field(source=source)}))

    assert "secret" not in str(error.value)


def test_a_contact_is_an_identifier_although_models_of_sdks_lack_it() -> None:
    contact = definition(keys={"a": [key("UNIQUE", "PROFILE", "CONTACT")]}, Description="Contacts")
    request = {"DomainName": "shop", "ObjectTypeName": "Contacts", **contact}

    assert read_structure(load_model().operations["PutProfileObjectType"].input, request) == request


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (definition(keys={"_mine": [key("UNIQUE", "PROFILE")]}), "reserved for AWS's own keys"),
        (
            definition(keys={"a": [key("UNIQUE")], "b": [key("PROFILE", "NEW_ONLY")]}, AllowProfileCreation=True),
            "must be neither LOOKUP_ONLY nor NEW_ONLY",
        ),
    ],
)
def test_strict_refuses_what_aws_refuses_without_need(given: dict[str, Any], message: str) -> None:
    compile_object_type(given)

    with pytest.raises(InvalidRequest, match=message):
        compile_object_type(given, strict=True)


@pytest.mark.parametrize("template_id", [name for name, one in templates().items() if one["Keys"]])
def test_every_template_with_a_mapping_follows_the_rules(template_id: str) -> None:
    assert compile_object_type(templates()[template_id], strict=True).keys


def test_there_are_41_templates_and_16_standard_objects_beside_the_profile() -> None:
    mapped = [name for name, one in templates().items() if one["Keys"]]

    assert (len(templates()), len(mapped), len(standard_objects())) == (41, 20, 16)
    assert list(templates()) == sorted(templates())
    assert {name for name in templates() if name.startswith("_")} == set(standard_objects())
