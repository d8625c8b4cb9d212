"""Feeds; the deliveries of webhooks become the first.

Workers of an earlier version must be stopped first: they cannot end the job of a domain with a webhook any more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "feed",
        sa.Column("subject", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(collation="C") if is_postgresql else sa.Text(), nullable=False),
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.Text()),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("next_attempt_at", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        sa.Column("moved_at", sa.BigInteger()),
        sa.Column("given_up_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "name"),
    )
    # A call that waits for its first attempt is due since its job ended; when the others began to wait is not known.
    op.execute(
        "insert into feed (name, subject, domain_id, target, number, epoch, attempts, next_attempt_at, last_error, "
        "moved_at, given_up_at, created_at) "
        "select 'webhook', upload_job_id, domain_id, url, case when delivered_at is null then 0 else 1 end, attempts, "
        "attempts, next_attempt_at, last_error, delivered_at, given_up_at, "
        "coalesce(next_attempt_at, delivered_at, given_up_at) from webhook_delivery"
    )
    op.drop_table("webhook_delivery")
    op.create_index(
        "feed_due",
        "feed",
        ["next_attempt_at"],
        sqlite_where=sa.text("next_attempt_at IS NOT NULL"),
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
