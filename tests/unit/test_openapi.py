"""The document of our own paths: it is what own_model.json says, and valid."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from scripts import generate_openapi
from scripts.generate_openapi import build_document, main, make_openapi

from openapi_document import OPENAPI, TEXT

MODEL: dict[str, Any] = json.loads(generate_openapi.MODEL.read_text(encoding="utf-8"))
HEAD: dict[str, Any] = yaml.safe_load(generate_openapi.HEAD.read_text(encoding="utf-8"))
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: operation
    for item in OPENAPI["paths"].values()
    for method, operation in item.items()
    if method != "parameters"
}


def values_of(key: str, node: Any) -> Iterator[Any]:
    """Find the values of a key, anywhere in the document."""
    if isinstance(node, list):
        for element in node:
            yield from values_of(key, element)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values_of(key, value)


def test_the_document_is_what_the_model_gives() -> None:
    assert make_openapi() == TEXT, "run: make example"


def test_the_text_of_the_document_is_read_as_it_was_built() -> None:
    assert build_document(MODEL, HEAD) == OPENAPI
    assert max(map(len, TEXT.splitlines())) <= generate_openapi.LINE_LENGTH


def test_the_generator_reports_a_file_that_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "openapi.yaml"
    written = main(["--file", str(file)])
    unchanged = main(["--check", "--file", str(file)])
    file.write_text("edited\n", encoding="utf-8")

    changed = main(["--check", "--file", str(file)])

    assert (written, unchanged, changed) == (0, 0, 1)
    assert "differs from what own_model.json gives" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "edited\n"


def test_every_schema_of_the_document_is_valid() -> None:
    schemas = OPENAPI["components"]["schemas"]

    assert OPENAPI["openapi"] == "3.1.0"
    for schema in [*schemas.values(), *values_of("schema", OPENAPI)]:
        Draft202012Validator.check_schema(schema)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    references = list(values_of("$ref", OPENAPI))

    assert len(references) > 200
    for reference in references:
        found: Any = OPENAPI
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


def test_every_shape_of_the_model_is_used() -> None:
    used = {*values_of("shape", MODEL), "UploadJobEnded"}

    assert set(MODEL["shapes"]) == used


def test_a_structure_of_the_document_takes_no_unknown_members() -> None:
    bodies = [
        operation["requestBody"]["content"].get("application/json", {}).get("schema", {})
        for operation in OPERATIONS.values()
        if "requestBody" in operation
    ]

    structures = [schema for schema in [*OPENAPI["components"]["schemas"].values(), *bodies] if "properties" in schema]

    assert len(structures) > 40
    for structure in structures:
        assert structure["additionalProperties"] is False


def test_an_operation_names_its_action_and_its_errors() -> None:
    create = " ".join(OPERATIONS["CreateUploadJob"]["description"].split())
    undo = OPERATIONS["UndoUploadJob"]["description"]

    assert create.startswith(
        "Needs the action `profile:CreateUploadJob`, with ObjectType `profile:PutProfileObject` too,"
        " with Options `openprofiles:SetUploadJobOptions` too, and with Replaces `profile:StopUploadJob` too."
    )
    assert undo.startswith("Needs the action `openprofiles:UndoUploadJob`.")
    assert "\n- BadRequestException (400): The job has not ended, or can no longer be undone.\n" in undo
    assert "AccessDeniedException (403), ThrottlingException (429), InternalServerException (500)" in undo
    for name, operation in OPERATIONS.items():
        is_reading = MODEL["operations"][name].get("action") == "profile:GetUploadJob"
        assert operation["description"].startswith("Needs the action `") != is_reading
        assert "Errors:\n\n- " in operation["description"]


def test_a_body_is_required_if_a_member_of_it_is_or_if_it_replaces_something() -> None:
    required = {
        name: OPERATIONS[name]["requestBody"]["required"]
        for name in ("CreateUploadJob", "SuggestMapping", "SetUploadJobOptions", "StartUploadJob", "RetryDeadLetter")
    }

    assert required == {
        "CreateUploadJob": True,
        "SuggestMapping": True,
        "SetUploadJobOptions": True,
        "StartUploadJob": False,
        "RetryDeadLetter": False,
    }
    assert "requestBody" not in OPERATIONS["PreviewUploadJob"]


def test_files_are_bodies_of_their_own_type() -> None:
    suggestion = OPERATIONS["SuggestMapping"]["requestBody"]["content"]
    failed_rows = OPERATIONS["GetFailedRowsFile"]["responses"]["200"]["content"]

    assert suggestion["application/octet-stream"]["schema"]["format"] == "binary"
    assert failed_rows == {"text/csv": {"schema": {"type": "string"}}}
    assert OPERATIONS["DeleteWebhook"]["responses"]["204"] == {"description": "The webhook was deleted."}


def test_parameters_of_one_name_must_be_the_same() -> None:
    model = copy.deepcopy(MODEL)
    model["shapes"]["ListMappingsRequest"]["members"]["MaxResults"]["default"] = 50

    with pytest.raises(SystemExit, match=r"ListMappingsRequest\.MaxResults differs"):
        build_document(model, HEAD)
