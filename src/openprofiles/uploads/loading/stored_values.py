"""Where the value of a field stands in what was read of the store."""

from __future__ import annotations

from openprofiles.profiles.standard_profile import FIELD_BY_PATH, attribute_of_target
from openprofiles.uploads.sql_text import sql_text


def column_of(path: str) -> str:
    """The column of the table ``profile`` that holds a field; all custom attributes share one."""
    return FIELD_BY_PATH[path].column if path in FIELD_BY_PATH else "attributes"


def stored_value(path: str) -> str:
    """SQL for the stored value of a field in the table ``stored``."""
    attribute = attribute_of_target(path)
    if attribute is None:
        return f"stored.{FIELD_BY_PATH[path].column}"
    return f"json_extract_string(stored.attributes, {sql_text(pointer_to(attribute))})"


def pointer_to(attribute: str) -> str:
    """Return the JSON pointer to a custom attribute in the column ``attributes``."""
    return "/" + attribute.replace("~", "~0").replace("/", "~1")
