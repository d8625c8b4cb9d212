"""Previews: jobs that find out what another job would do, and samples of it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("upload_job", sa.Column("preview_of", sa.BigInteger()))
    op.create_table(
        "preview_sample",
        sa.Column("upload_job_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("upload_job_id", "number"),
        sqlite_with_rowid=False,
    )
