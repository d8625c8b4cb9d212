"""The log of changes of profiles.

Servers, workers and commands of an earlier version must be stopped first: they count writes in a column that gets
another name.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("domain", "key_version", new_column_name="change_number")
    _rename_constraint("domain_key_version_not_null", "domain_change_number_not_null")
    op.add_column("domain", sa.Column("forgotten_number", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("job", sa.Column("change_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("undo_image", sa.Column("number", sa.BigInteger()))
    op.create_index("undo_image_number", "undo_image", ["upload_job_id", "number"])
    number = sa.BigInteger()
    op.create_table(
        "profile_change",
        sa.Column("domain_id", number, nullable=False),
        sa.Column("number", number, nullable=False),
        sa.Column("changed_at", number, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text()),
        sa.Column("job_number", number),
        sa.Column("first_pid", number, nullable=False),
        sa.Column("last_pid", number, nullable=False),
        sa.Column("profile_count", number, nullable=False),
        sa.Column("pids", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "number"),
        sqlite_with_rowid=False,
    )
    _hold_keys()
    op.create_table(
        "change_content",
        sa.Column("domain_id", number, nullable=False),
        sa.Column("number", number, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "number"),
        sqlite_with_rowid=False,
    )
    for name, columns, condition in (
        ("profile_change_of_one", ["domain_id", "first_pid", "number"], "profile_count = 1"),
        (
            "profile_change_removed",
            ["domain_id", "number"],
            "action IN ('DELETED_BY_CUSTOMER', 'EXPIRED')",
        ),
        ("profile_change_of_many", ["domain_id", "first_pid", "last_pid", "number"], "profile_count > 1"),
    ):
        op.create_index(
            name,
            "profile_change",
            columns,
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )


def _rename_constraint(before: str, after: str) -> None:
    """Give a constraint of ``domain`` the name that a new store has; only PostgreSQL 18 and later name these."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        named = sa.text("select 1 from pg_constraint where conrelid = 'domain'::regclass and conname = :name")
        if connection.execute(named, {"name": before}).first() is not None:
            op.execute(f"alter table domain rename constraint {before} to {after}")


def _hold_keys() -> None:
    """Keys that were added by hand become keys with a holder."""
    text = sa.Text(collation="C") if op.get_bind().dialect.name == "postgresql" else sa.Text()
    op.create_table(
        "held_key",
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("value", text, nullable=False),
        sa.Column("holder", text, nullable=False),
        sa.PrimaryKeyConstraint("pid", "name", "value", "holder"),
        sqlite_with_rowid=False,
    )
    op.execute("insert into held_key (pid, name, value, holder) select pid, name, value, 'hand' from added_key")
    op.drop_table("added_key")
