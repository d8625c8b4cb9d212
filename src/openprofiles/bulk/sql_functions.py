"""Give DuckDB functions in Python that SQL calls for what it cannot decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from openprofiles.facts.normal_forms import sql_functions


def register_sql_functions(connection: Any, phone_region: str) -> None:
    """Register the functions of normal forms on a connection of DuckDB's; its cursors have them too."""
    for name, function in sql_functions(phone_region).items():
        register_sql_function(connection, name, function, "VARCHAR", pa.string())


def register_sql_function(
    connection: Any, name: str, function: Callable[[str], str | bool | None], sql_kind: str, kind: pa.DataType
) -> None:
    """Register a function of a text."""

    def of_column(column: pa.Array) -> pa.Array:
        return pa.array([None if value is None else function(value) for value in column.to_pylist()], kind)

    connection.create_function(name, of_column, ["VARCHAR"], sql_kind, type="arrow", null_handling="special")
