"""The document docs/openapi.yaml, with which the tests compare answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

TEXT = (Path(__file__).parents[1] / "docs" / "openapi.yaml").read_text(encoding="utf-8")
# The loader in C is ten times as fast, and each process of the tests reads it.
OPENAPI: dict[str, Any] = yaml.load(TEXT, Loader=yaml.CSafeLoader)


def validator(name: str) -> Draft202012Validator:
    """Return a validator for a schema of the document, by its name."""
    return _validator({"$ref": f"#/components/schemas/{name}"})


def request_validator(operation: str) -> Draft202012Validator:
    """Return a validator for the JSON body of an operation's request."""
    operations = [item[method] for item in OPENAPI["paths"].values() for method in item if method != "parameters"]
    (found,) = (entry for entry in operations if entry["operationId"] == operation)
    return _validator(found["requestBody"]["content"]["application/json"]["schema"])


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": OPENAPI["components"]})
