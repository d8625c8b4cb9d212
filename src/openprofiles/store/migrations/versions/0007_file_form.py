"""What a caller wants of a job beyond its mapping, and the form in which its file was read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("upload_job", sa.Column("options", sa.JSON()))
    op.add_column("upload_job", sa.Column("file_form", sa.JSON()))
