"""Statements that are compiled once: whoever runs one names exactly its parameters."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, bindparam, create_engine, insert, update

from openprofiles.store.prepared import PreparedStatement

TABLE = Table("one", MetaData(), Column("a", Integer), Column("b", Integer))


@pytest.mark.parametrize("values", [{"new": 2}, {"new": 2, "old": 1, "other": 3}, {"new": 2, "odl": 1}])
def test_a_parameter_that_is_missing_or_unknown_is_refused(values: dict[str, int]) -> None:
    statement = PreparedStatement(update(TABLE).where(TABLE.c.a == bindparam("old")).values(b=bindparam("new")))

    with create_engine("sqlite://").connect() as connection:
        TABLE.create(connection)
        PreparedStatement(insert(TABLE)).run(connection, a=1)
        with pytest.raises(TypeError, match="new"):
            statement.run(connection, **values)

        assert statement.run(connection, new=2, old=1) == 1
