"""Every text that rows are read in the order of, in the order of its bytes, whatever the language of the database."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, column in (("indexed_field", "path"), ("row_sequence", "name"), ("credential", "access_key_id")):
            op.alter_column(table, column, type_=sa.Text(collation="C"))
