"""The words by which customers are searched. The worker fills them; until then, a search finds fewer customers."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_ON_SQLITE = (
    "create virtual table profile_words_index using fts5(words, content='profile_words', content_rowid='pid', "
    "detail=none, tokenize=\"ascii tokenchars '_'\", prefix='1 2 3')",
    "create trigger profile_words_removed after delete on profile_words begin "
    "insert into profile_words_index (profile_words_index, rowid, words) values ('delete', old.pid, old.words); end",
)
_ON_POSTGRESQL = (
    "create index profile_words_index on profile_words using gin (array_to_tsvector(string_to_array(words, ' ')))",
)


def upgrade() -> None:
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    op.create_table(
        "profile_words",
        sa.Column("pid", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("pid"),
    )
    op.create_index("words_of_domain", "profile_words", ["domain_id", "pid"])
    for statement in _ON_SQLITE if is_sqlite else _ON_POSTGRESQL:
        connection.exec_driver_sql(statement)
    op.create_table(
        "words_feed_state",
        sa.Column("domain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("scanned_pid", sa.BigInteger()),
        sa.Column("removed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("domain_id"),
        sa.ForeignKeyConstraint(["domain_id"], ["domain.domain_id"]),
    )
    of_living = "from domain where deleted_at is null"
    op.execute(f"insert into words_feed_state (domain_id, scanned_pid) select domain_id, 0 {of_living}")
    op.execute(
        "insert into feed (subject, name, domain_id, number, next_attempt_at, created_at) "
        f"select domain_id, 'profile_words', domain_id, change_number, updated_at, updated_at {of_living}"
    )
