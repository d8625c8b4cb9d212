"""Tokens by which a create or start of an upload job that is sent again is known."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("upload_job", sa.Column("create_token", sa.Text()))
    op.add_column("upload_job", sa.Column("create_digest", sa.Text()))
    op.add_column("upload_job", sa.Column("start_token", sa.Text()))
    op.create_index(
        "upload_job_create_token",
        "upload_job",
        ["domain_id", "create_token"],
        unique=True,
        sqlite_where=sa.text("create_token IS NOT NULL"),
        postgresql_where=sa.text("create_token IS NOT NULL"),
    )
