"""How many records of a job changed nothing, and what its failed rows failed for."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "upload_job", sa.Column("unchanged_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("upload_job", sa.Column("fault_counts", sa.JSON()))
