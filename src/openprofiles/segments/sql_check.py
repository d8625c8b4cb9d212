"""Check the SQL query of a request as DuckDB does, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import SQL_QUERY, check_segment, sql_query_of


def require_sql_runs(
    open_session: Callable[[], AbstractContextManager[Reading]],
    query: Mapping[str, Any],
    groups_member: str,
    *,
    strict: bool,
) -> None:
    """Require that the SQL query of a request can be run, if it has one.

    DuckDB looks at it in a process of its own, so no transaction may be open.

    Args:
        open_session: opens a session on the domain.
        groups_member: the member that has segment groups, which are not checked here.
        strict: whether AWS's own limits hold.

    Raises:
        InvalidRequest: it is not valid.
    """
    if SQL_QUERY not in query:
        return
    with open_session() as session:
        check_segment(session, query, groups_member, strict=strict)
        checked, tables = sql_query_of(session, query)
    # Imported here: it imports the parser.
    from openprofiles.segments.sql.query_run import require_runs

    require_runs(checked, tables)
