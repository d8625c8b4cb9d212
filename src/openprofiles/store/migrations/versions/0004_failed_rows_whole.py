"""Failed rows with all their faults and with their content.

A program of the revision before goes on as it was: what it reports has fault 0 and no content.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("upload_job", sa.Column("file_header", sa.JSON()))
    op.add_column("upload_job", sa.Column("failed_rows_key", sa.LargeBinary()))
    if op.get_bind().dialect.name == "postgresql":
        op.add_column("failed_row", sa.Column("fault", sa.Integer(), server_default=sa.text("0"), nullable=False))
        op.add_column("failed_row", sa.Column("content", sa.LargeBinary()))
        op.drop_constraint("failed_row_pkey", "failed_row")
        op.create_primary_key("failed_row_pkey", "failed_row", ["upload_job_id", "record", "fault"])
        return
    op.rename_table("failed_row", "failed_row_before")
    op.create_table(
        "failed_row",
        sa.Column("upload_job_id", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.BigInteger(), nullable=False),
        sa.Column("fault", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text()),
        sa.Column("detail", sa.BigInteger()),
        sa.Column("content", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("upload_job_id", "record", "fault"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "insert into failed_row (upload_job_id, record, line, code, column_name, detail) "
        "select upload_job_id, record, line, code, column_name, detail from failed_row_before"
    )
    op.drop_table("failed_row_before")
