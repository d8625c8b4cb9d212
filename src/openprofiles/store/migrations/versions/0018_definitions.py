"""One table for whatever a domain keeps by name; saved mappings move to it."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    is_postgresql = connection.dialect.name == "postgresql"
    byte_ordered_text = sa.Text(collation="C") if is_postgresql else sa.Text()
    row_number = sa.BigInteger() if is_postgresql else sa.Integer()
    definition = op.create_table(
        "definition",
        sa.Column("definition_id", row_number, primary_key=True, autoincrement=True),
        sa.Column("domain_id", sa.BigInteger(), sa.ForeignKey("domain.domain_id"), nullable=False),
        sa.Column("kind", byte_ordered_text, nullable=False),
        sa.Column("name", byte_ordered_text, nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger()),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "definition_name",
        "definition",
        ["domain_id", "kind", "name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    definition_body = op.create_table(
        "definition_body",
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("definition_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "definition_id", "version"),
        sqlite_with_rowid=False,
    )
    saved_mapping = sa.table(
        "saved_mapping",
        sa.column("domain_id"),
        sa.column("name"),
        sa.column("fields", sa.JSON()),
        sa.column("unique_key"),
        sa.column("columns", sa.JSON()),
        sa.column("created_at"),
        sa.column("updated_at"),
    )
    for saved in connection.execute(sa.select(saved_mapping)).all():
        columns = saved.columns if isinstance(saved.columns, dict) else {"names": saved.columns, "reading": {}}
        definition_id = connection.execute(
            sa.insert(definition)
            .values(
                domain_id=saved.domain_id,
                kind="mapping",
                name=saved.name,
                summary={},
                tags={},
                version=1,
                created_at=saved.created_at,
                updated_at=saved.updated_at,
            )
            .returning(definition.c.definition_id)
        ).scalar_one()
        body = {
            "fields": saved.fields,
            "unique_key": saved.unique_key,
            "columns": columns["names"],
            "reading": columns["reading"],
        }
        connection.execute(
            sa.insert(definition_body).values(
                domain_id=saved.domain_id, definition_id=definition_id, version=1, body=body
            )
        )
    op.drop_table("saved_mapping")
