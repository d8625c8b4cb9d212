"""The kind of a job is a column of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("upload_job", sa.Column("kind", sa.Text(), nullable=False, server_default=sa.text("'upload'")))
    for kind, column in (("preview", "preview_of"), ("undo", "undo_of")):
        op.execute(f"update upload_job set kind = '{kind}' where {column} is not null")
