"""Profile objects.

Servers, workers and commands of an earlier version must be stopped first: they cannot create a domain any more.
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger()
    op.add_column("domain", sa.Column("object_count", number, server_default=sa.text("0"), nullable=False))
    _add_salt()
    op.add_column("profile", sa.Column("sources", sa.JSON()))
    op.add_column("profile", sa.Column("object_count", sa.Integer()))
    op.add_column("profile_change", sa.Column("object_type", sa.Text()))
    op.create_table(
        "profile_object",
        sa.Column("object_no", _row_number(), autoincrement=False, nullable=False),
        sa.Column("domain_id", number, nullable=False),
        sa.Column("pid", number, nullable=False),
        sa.Column("object_type_id", number, nullable=False),
        sa.Column("unique_key", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("made_profile", sa.Boolean(), nullable=False),
        sa.Column("keys", sa.JSON()),
        sa.Column("source_at", number),
        sa.Column("created_at", number, nullable=False),
        sa.Column("updated_at", number, nullable=False),
        sa.Column("expires_at", number, nullable=False),
        sa.PrimaryKeyConstraint("object_no"),
    )
    op.create_index(
        "profile_object_expiry",
        "profile_object",
        ["domain_id", "expires_at"],
        # As that of profiles: migration 0023.
        postgresql_where=sa.text("expires_at < 9223372036854775807"),
    )
    op.create_table(
        "object_list",
        sa.Column("pid", number, nullable=False),
        sa.Column("object_type_id", number, nullable=False),
        sa.Column("object_no", number, nullable=False),
        sa.PrimaryKeyConstraint("pid", "object_type_id", "object_no"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "object_unique",
        sa.Column("domain_id", number, nullable=False),
        sa.Column("object_type_id", number, nullable=False),
        sa.Column("hash", number, nullable=False),
        sa.Column("object_no", number, nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "object_type_id", "hash", "object_no"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dead_letter",
        sa.Column("dead_letter_id", _row_number(), autoincrement=True, nullable=False),
        sa.Column("domain_id", number, sa.ForeignKey("domain.domain_id"), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("unique_key", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", number, nullable=False),
        sa.Column("updated_at", number, nullable=False),
        sa.Column("expires_at", number, nullable=False),
        sa.PrimaryKeyConstraint("dead_letter_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("dead_letter_list", "dead_letter", ["domain_id", "dead_letter_id"])
    op.create_index("dead_letter_expiry", "dead_letter", ["expires_at"])
    op.create_index("dead_letter_key", "dead_letter", ["domain_id", "unique_key"], unique=True)


def _row_number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _add_salt() -> None:
    """Give each domain random bytes."""
    connection = op.get_bind()
    op.add_column("domain", sa.Column("object_salt", sa.LargeBinary()))
    domain = sa.table("domain", sa.column("domain_id", sa.BigInteger()), sa.column("object_salt", sa.LargeBinary()))
    for domain_id in connection.execute(sa.select(domain.c.domain_id)).scalars().all():
        connection.execute(
            sa.update(domain).where(domain.c.domain_id == domain_id).values(object_salt=secrets.token_bytes(16))
        )
