"""Find the members of an SQL segment, for a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from openprofiles.expressions.tree import EVERYBODY
from openprofiles.profiles.session import Reading
from openprofiles.segments.definitions import sql_query_of
from openprofiles.segments.run_end import OpenState
from openprofiles.segments.sql.query_run import QueryTables
from openprofiles.segments.surroundings import sql_surroundings
from openprofiles.settings import Settings
from openprofiles.store.export_rows import ConnectionRows, open_sqlite_rows
from openprofiles.store.leased_store import LeasedStore
from openprofiles.store.segment_rows import count_members


@dataclass(frozen=True, slots=True)
class SqlMembers:
    """The members of an SQL segment.

    Attributes:
        pids: their row numbers, ascending.
        profile_count: how many profiles the domain had.
        session: the state of the store that they were found in; its connection is closed.
    """

    pids: npt.NDArray[np.int64]
    profile_count: int
    session: Reading


def find_sql_members(
    store: LeasedStore, settings: Settings, request: Mapping[str, Any], open_state: OpenState, folder: Path
) -> SqlMembers:
    """Find the members of the SQL query of a request.

    Args:
        folder: an empty one, for the tables of the query.

    Raises:
        InvalidRequest: the query is no longer valid, or takes too much memory or time.
    """
    with open_state() as session:
        query, tables = sql_query_of(session, request)
        everybody = count_members(session.connection, session.domain.domain_id, EVERYBODY, sql_surroundings(session))
        of_query = QueryTables(folder, query, tables)
        # SQLite's other driver is faster, but sees a state of its own.
        is_apart = session.connection.dialect.name == "sqlite" and not of_query.needs_objects
        if not is_apart:
            of_query.add_profiles(ConnectionRows(session.connection), session)
            of_query.add_objects(session)
    if is_apart:
        with store.suspended(), open_sqlite_rows(settings.store_path) as rows:
            of_query.add_profiles(rows, session)
    return SqlMembers(np.array(of_query.find_members(), np.int64), everybody, session)
