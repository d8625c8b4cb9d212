"""One table for jobs of every kind; what only upload jobs and previews have, or undos, is in tables of their own.

Servers, workers and commands of an earlier version must be stopped first: they read columns that move.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_TOKENS = ("create_token", "create_digest", "start_token")
# What each table gets from the one of before.
_OF_JOB = {
    "job_number": "upload_job_id",
    "subject": "coalesce(preview_of, undo_of)",
    "done": "case when phase = 'stage' then read_bytes end",
    "total": "case when kind = 'undo' then record_count end",
} | {
    name: name
    for name in (
        "job_id", "domain_id", "kind", "status", "status_reason", "failure_message", "created_at", "started_at",
        "completed_at", "stop_requested_at", "phase", "position", "step_started_at", "step_milliseconds", "lease_owner",
        "lease_until", "epoch", "failed_attempts", *_TOKENS,
    )
}  # fmt: skip
_OF_UPLOAD = {"job_number": "upload_job_id"} | {
    name: name
    for name in (
        "display_name", "fields", "unique_key", "data_expiry_days", "client_token", "file_name", "file_size_bytes",
        "file_received_at", "file_form", "file_header", "record_count", "created_count", "updated_count",
        "unchanged_count", "failed_count", "pid_base", "failed_rows_key", "fault_counts", "repeated_count", "notices",
        "options", "undo_days",
    )
}  # fmt: skip
_OF_UNDO = {
    "job_number": "upload_job_id",
    "removed_count": "created_count",
    "restored_count": "updated_count",
    "kept_count": "failed_count",
    "gone_count": "unchanged_count",
}


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    row_number = sa.BigInteger() if is_postgresql else sa.Integer()
    number, text, json = sa.BigInteger(), sa.Text(), sa.JSON()
    last_number = _last_number(is_postgresql=is_postgresql)
    op.execute("create table former_upload_job as select * from upload_job")
    op.drop_table("upload_job")
    op.create_table(
        "job",
        sa.Column("job_number", row_number, primary_key=True, autoincrement=True),
        sa.Column("job_id", text, nullable=False, unique=True),
        sa.Column("domain_id", number, sa.ForeignKey("domain.domain_id"), nullable=False),
        sa.Column("kind", text, nullable=False),
        sa.Column("subject", number),
        sa.Column("status", text, nullable=False),
        *_columns(text, "status_reason", "failure_message"),
        sa.Column("created_at", number, nullable=False),
        *_columns(number, "not_before", "started_at", "completed_at", "stop_requested_at"),
        sa.Column("phase", text),
        *_counts("position"),
        *_columns(number, "done", "total", "step_started_at"),
        sa.Column("step_milliseconds", json),
        sa.Column("lease_owner", text),
        sa.Column("lease_until", number),
        *_counts("epoch"),
        sa.Column("failed_attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        *_columns(text, *_TOKENS),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "upload_job",
        _number_of_job(row_number),
        sa.Column("display_name", text, nullable=False),
        sa.Column("fields", json, nullable=False),
        sa.Column("unique_key", text, nullable=False),
        sa.Column("data_expiry_days", sa.Integer(), nullable=False),
        sa.Column("client_token", sa.LargeBinary()),
        sa.Column("file_name", text),
        *_columns(number, "file_size_bytes", "file_received_at"),
        *_columns(json, "file_form", "file_header"),
        sa.Column("record_count", number),
        *_counts("created_count", "updated_count", "unchanged_count", "failed_count"),
        sa.Column("pid_base", number),
        sa.Column("failed_rows_key", sa.LargeBinary()),
        sa.Column("fault_counts", json),
        sa.Column("repeated_count", number),
        *_columns(json, "notices", "options"),
        sa.Column("undo_days", sa.Integer()),
    )
    op.create_table("undo_job", _number_of_job(row_number), *_counts(*list(_OF_UNDO)[1:]))
    op.create_table(
        "schedule",
        sa.Column("domain_id", number, sa.ForeignKey("domain.domain_id"), nullable=False),
        sa.Column("kind", sa.Text(collation="C") if is_postgresql else text, nullable=False),
        sa.Column("every_seconds", number, nullable=False),
        sa.Column("next_at", number, nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "kind"),
        sqlite_with_rowid=False,
    )
    for table, columns, condition in (
        ("job", _OF_JOB, "true"),
        ("upload_job", _OF_UPLOAD, "kind <> 'undo'"),
        ("undo_job", _OF_UNDO, "kind = 'undo'"),
    ):
        op.execute(
            f"insert into {table} ({', '.join(columns)}) select {', '.join(columns.values())} "
            f"from former_upload_job where {condition}"
        )
    op.drop_table("former_upload_job")
    # Give no job the number of one that is gone: profiles may still name it.
    if is_postgresql:
        op.execute(f"select setval(pg_get_serial_sequence('job', 'job_number'), {last_number + 1}, false)")
    elif last_number:
        op.execute("delete from sqlite_sequence where name = 'job'")
        op.execute(f"insert into sqlite_sequence (name, seq) values ('job', {last_number})")
    op.create_index("job_list", "job", ["domain_id", "created_at", "job_number"])
    op.create_index("job_status", "job", ["status"])
    for name, keys, condition in (
        ("job_create_token", ["domain_id", "create_token"], "create_token IS NOT NULL"),
        ("job_undo", ["subject"], "kind = 'undo'"),
    ):
        partly = sa.text(condition)
        op.create_index(name, "job", keys, unique=True, sqlite_where=partly, postgresql_where=partly)


def _last_number(*, is_postgresql: bool) -> int:
    last = "select seq from sqlite_sequence where name = 'upload_job'"
    if is_postgresql:
        last = "select last_value from upload_job_upload_job_id_seq where is_called"
    return int(op.get_bind().exec_driver_sql(last).scalar_one_or_none() or 0)


def _number_of_job(row_number: sa.types.TypeEngine[int]) -> sa.Column[int]:
    of_job = sa.ForeignKey("job.job_number", ondelete="CASCADE")
    return sa.Column("job_number", row_number, of_job, primary_key=True, autoincrement=False)


def _columns(kind: sa.types.TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind) for name in names]


def _counts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0")) for name in names]
