"""A JSON object that a person wrote into a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.text_source import read_text
from openprofiles.cli.words import source_name


def read_json_object(file: Path, content: str) -> dict[str, Any]:
    """Read a JSON object from a file, or from standard input for ``-``.

    Args:
        content: says what the object has, for the message: "the member Groups".

    Raises:
        CommandFault: the file cannot be read, or is not a JSON object.
    """
    text = read_text(file).removeprefix("\ufeff")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandFault(f"{source_name(file)} is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise CommandFault(f"{source_name(file)} must be a JSON object with {content}.")
    return document
