"""Which rows of a file repeat a unique key of an earlier row, and how long each step of a job took."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("upload_job", sa.Column("repeated_count", sa.BigInteger()))
    op.add_column("upload_job", sa.Column("step_milliseconds", sa.JSON()))
    op.create_table(
        "repeated_row",
        sa.Column("upload_job_id", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("first_record", sa.BigInteger(), nullable=False),
        sa.Column("first_line", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("upload_job_id", "record"),
        sqlite_with_rowid=False,
    )
