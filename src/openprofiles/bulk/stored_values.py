"""Where the value of a field stands in what was read of the store."""

from __future__ import annotations

from openprofiles.facts.sql_text import sql_text
from openprofiles.facts.standard_profile import FIELD_BY_PATH, attribute_of_target


def column_of(path: str) -> str:
    """Name the column of the table ``profile`` that holds a field; all custom attributes share one."""
    return FIELD_BY_PATH[path].column if path in FIELD_BY_PATH else "attributes"


def stored_value(path: str) -> str:
    """Build SQL for the stored value of a field in the table ``stored``."""
    attribute = attribute_of_target(path)
    if attribute is None:
        return f"stored.{FIELD_BY_PATH[path].column}"
    return f"json_extract_string(stored.attributes, {sql_text(pointer_to(attribute))})"


def pointer_to(attribute: str) -> str:
    """Return the JSON pointer to a custom attribute in the column ``attributes``."""
    return "/" + attribute.replace("~", "~0").replace("/", "~1")
