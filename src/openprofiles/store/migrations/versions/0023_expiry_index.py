"""An index on expiry that PostgreSQL uses for nothing else.

Programs of the last release can go on: without the index, their queries for expired profiles read the whole table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("profile_expiry", "profile")
        op.create_index(
            "profile_expiry",
            "profile",
            ["domain_id", "expires_at"],
            postgresql_where=sa.text("expires_at < 9223372036854775807"),
        )
