"""The key changes of a load's chunk in one row, instead of a row for each."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    of_running_jobs = (
        "select count(*) from pending_key where upload_job_id in "
        "(select upload_job_id from upload_job where status = 'IN_PROGRESS')"
    )
    if op.get_bind().scalar(sa.text(of_running_jobs)):
        raise RuntimeError(
            "An upload job of an earlier version is not at its end. Let it end, or stop it, with that version."
        )
    op.drop_table("pending_key")
    op.create_table(
        "pending_keys",
        sa.Column("pending_keys_id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("upload_job_id", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("pending_keys_id"),
    )
    op.create_index("pending_keys_job", "pending_keys", ["upload_job_id", "pending_keys_id"])
