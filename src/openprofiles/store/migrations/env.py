"""What Alembic runs to apply the steps; ``store.open`` gives it the connection, within a write transaction."""

from typing import Any, Literal

from alembic import context

from openprofiles.store.tables import Moment, is_described, metadata


def write_type(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our own column type as its database type, which never changes later."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Moment) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite alters most things by copying the table.
    render_as_batch=True,
    render_item=write_type,
    include_name=is_described,
)
context.run_migrations()
