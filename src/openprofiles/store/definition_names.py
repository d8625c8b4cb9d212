"""Names in the rows of definitions that queries of several modules use."""

from __future__ import annotations

# The kind of definition that has keys and priorities, and where its summary has the content types of the keys' fields.
OBJECT_TYPES = "object_type"
KEY_FORMS = "KeyForms"
