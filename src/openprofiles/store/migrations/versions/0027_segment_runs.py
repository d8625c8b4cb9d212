"""Jobs that find the members of a segment."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    row_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "segment_run",
        sa.Column("job_number", row_number, autoincrement=False, nullable=False),
        sa.Column("definition_id", sa.BigInteger()),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("as_of", sa.BigInteger()),
        sa.Column("member_count", sa.BigInteger()),
        sa.Column("profile_count", sa.BigInteger()),
        sa.PrimaryKeyConstraint("job_number"),
        sa.ForeignKeyConstraint(["job_number"], ["job.job_number"], ondelete="CASCADE"),
    )
