"""Subscriptions to the changes of segments, with their events, and sets of profiles."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    byte_ordered_text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "profile_set",
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("owner", byte_ordered_text, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("chunk", sa.BigInteger(), nullable=False),
        sa.Column("bits", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "owner", "number", "chunk"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "segment_stream",
        sa.Column("domain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("associated_at", sa.BigInteger(), nullable=False),
        sa.Column("disassociated_at", sa.BigInteger()),
        sa.Column("probed_at", sa.BigInteger()),
        sa.Column("event_number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("domain_id"),
        sa.ForeignKeyConstraint(["domain_id"], ["domain.domain_id"]),
    )
    op.create_table(
        "segment_subscription",
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("definition_id", sa.BigInteger(), nullable=False),
        sa.Column("interval_hours", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger()),
        sa.Column("scanned_pid", sa.BigInteger()),
        sa.Column("joined_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("left_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("scheduled_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "definition_id"),
        sa.ForeignKeyConstraint(["domain_id"], ["domain.domain_id"]),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "segment_event",
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("definition_id", sa.BigInteger(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.Text(), nullable=False),
        sa.Column("has_joined", sa.Boolean(), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("previous_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("domain_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index("segment_event_list", "segment_event", ["domain_id", "definition_id", "number"])
    op.create_index("segment_event_profile", "segment_event", ["domain_id", "definition_id", "pid", "number"])
    op.create_table(
        "removed_profile",
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.Text(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "pid"),
        sqlite_with_rowid=False,
    )
    op.create_index("removed_profile_age", "removed_profile", ["domain_id", "removed_at"])
