"""Undo: what profiles were before loads changed them, and jobs that take others back."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    byte_ordered_text = sa.Text(collation="C") if is_postgresql else sa.Text()
    row_number = sa.BigInteger() if is_postgresql else sa.Integer()
    op.add_column("upload_job", sa.Column("undo_of", sa.BigInteger()))
    op.add_column("upload_job", sa.Column("undo_days", sa.Integer()))
    op.add_column("upload_job", sa.Column("undo_until", sa.BigInteger()))
    op.create_index(
        "upload_job_undo_of",
        "upload_job",
        ["undo_of"],
        unique=True,
        sqlite_where=sa.text("undo_of IS NOT NULL"),
        postgresql_where=sa.text("undo_of IS NOT NULL"),
    )
    op.create_table(
        "undo_image",
        sa.Column("undo_image_id", row_number, primary_key=True, autoincrement=True),
        sa.Column("upload_job_id", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_index("undo_image_job", "undo_image", ["upload_job_id", "undo_image_id"])
    op.create_table(
        "undo_absent_key",
        sa.Column("upload_job_id", sa.BigInteger(), nullable=False),
        sa.Column("name", byte_ordered_text, nullable=False),
        sa.Column("value", byte_ordered_text, nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("upload_job_id", "name", "value", "pid"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "undo_kept_profile",
        sa.Column("upload_job_id", sa.BigInteger(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.Text(), nullable=False),
        sa.Column("was_created", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("upload_job_id", "pid"),
        sqlite_with_rowid=False,
    )
