"""The job option ``shared_key_rows`` is named ``doubtful_rows``, since it holds for every kind of doubtful row."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

RENAME = {
    "sqlite": "json_remove(json_set(options, '$.doubtful_rows', options ->> 'shared_key_rows'), '$.shared_key_rows')",
    "postgresql": "(jsonb_set(options::jsonb, '{doubtful_rows}', options::jsonb -> 'shared_key_rows') "
    "- 'shared_key_rows')::json",
}


def upgrade() -> None:
    connection = op.get_bind()
    rename = RENAME[connection.dialect.name]
    connection.execute(
        sa.text(f"update upload_job set options = {rename} where options ->> 'shared_key_rows' is not null")
    )
