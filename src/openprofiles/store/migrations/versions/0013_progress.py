"""How much of its file a job has read, and since when it has been at its present step."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("upload_job", sa.Column("read_bytes", sa.BigInteger()))
    op.add_column("upload_job", sa.Column("step_started_at", sa.BigInteger()))
