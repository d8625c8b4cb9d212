"""Give DuckDB the function that decides whether a value is a phone number."""

from __future__ import annotations

from functools import partial
from typing import Any

import pyarrow as pa

from openprofiles.bulk.sql_functions import register_sql_function
from openprofiles.uploads.phone_check import looks_like_phone


def register_phone_function(connection: Any, phone_region: str) -> None:
    """Register the function that ``sql_looks_like_phone`` calls on a connection of DuckDB's."""
    is_phone = partial(looks_like_phone, phone_region=phone_region)
    register_sql_function(connection, "openprofiles_looks_like_phone", is_phone, "BOOLEAN", pa.bool_())
