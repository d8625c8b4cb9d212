"""Gives DuckDB the functions of ours that the SQL of normal forms calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow as pa

from openprofiles.profiles.normal_forms import sql_functions
from openprofiles.uploads.phone_check import looks_like_phone


def register_sql_functions(connection: Any, phone_region: str) -> None:
    """Register them on a connection of DuckDB's; its cursors have them too."""
    for name, function in sql_functions(phone_region).items():
        connection.create_function(
            name, _of_columns(function, pa.string()), ["VARCHAR"], "VARCHAR", type="arrow", null_handling="special"
        )
    is_phone = _of_columns(partial(looks_like_phone, phone_region=phone_region), pa.bool_())
    connection.create_function(
        "openprofiles_looks_like_phone", is_phone, ["VARCHAR"], "BOOLEAN", type="arrow", null_handling="special"
    )


def _of_columns(function: Callable[[str], str | bool | None], kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    return lambda column: pa.array([None if v is None else function(v) for v in column.to_pylist()], kind)
