"""Everything of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite makes a column the row number only when its type is exactly INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTE_ORDERED_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "added_key",
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("name", BYTE_ORDERED_TEXT, nullable=False),
        sa.Column("value", BYTE_ORDERED_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("pid", "name", "value"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ordered_record",
        sa.Column("upload_job_id", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("upload_job_id", "record"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "credential",
        sa.Column("access_key_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("domains", sa.JSON(), nullable=False),
        sa.Column("requests_per_second", sa.Float()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("access_key_id"),
    )
    op.create_table(
        "domain",
        sa.Column("domain_id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("name", BYTE_ORDERED_TEXT, nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("default_expiration_days", sa.Integer(), nullable=False),
        sa.Column("phone_region", sa.Text(), nullable=False),
        sa.Column("profile_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("key_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("domain_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "domain_name",
        "domain",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )

    op.create_table(
        "failed_row",
        sa.Column("upload_job_id", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text()),
        sa.Column("detail", sa.BigInteger()),
        sa.PrimaryKeyConstraint("upload_job_id", "record"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pending_key",
        sa.Column("pending_key_id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("upload_job_id", sa.BigInteger(), nullable=False),
        sa.Column("added", sa.Boolean(), nullable=False),
        sa.Column("name", BYTE_ORDERED_TEXT, nullable=False),
        sa.Column("value", BYTE_ORDERED_TEXT, nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pending_key_id"),
    )
    op.create_index("pending_key_job", "pending_key", ["upload_job_id", "pending_key_id"])

    op.create_table(
        "profile",
        sa.Column("pid", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.Text(), nullable=False),
        sa.Column("account_number", sa.Text()),
        sa.Column("additional_information", sa.Text()),
        sa.Column("party_type_string", sa.Text()),
        sa.Column("business_name", sa.Text()),
        sa.Column("first_name", sa.Text()),
        sa.Column("middle_name", sa.Text()),
        sa.Column("last_name", sa.Text()),
        sa.Column("birth_date", sa.Text()),
        sa.Column("gender_string", sa.Text()),
        sa.Column("phone_number", sa.Text()),
        sa.Column("mobile_phone_number", sa.Text()),
        sa.Column("home_phone_number", sa.Text()),
        sa.Column("business_phone_number", sa.Text()),
        sa.Column("email_address", sa.Text()),
        sa.Column("personal_email_address", sa.Text()),
        sa.Column("business_email_address", sa.Text()),
        sa.Column("profile_type", sa.Text()),
        sa.Column("address_address1", sa.Text()),
        sa.Column("address_address2", sa.Text()),
        sa.Column("address_address3", sa.Text()),
        sa.Column("address_address4", sa.Text()),
        sa.Column("address_city", sa.Text()),
        sa.Column("address_county", sa.Text()),
        sa.Column("address_state", sa.Text()),
        sa.Column("address_province", sa.Text()),
        sa.Column("address_country", sa.Text()),
        sa.Column("address_postal_code", sa.Text()),
        sa.Column("shipping_address_address1", sa.Text()),
        sa.Column("shipping_address_address2", sa.Text()),
        sa.Column("shipping_address_address3", sa.Text()),
        sa.Column("shipping_address_address4", sa.Text()),
        sa.Column("shipping_address_city", sa.Text()),
        sa.Column("shipping_address_county", sa.Text()),
        sa.Column("shipping_address_state", sa.Text()),
        sa.Column("shipping_address_province", sa.Text()),
        sa.Column("shipping_address_country", sa.Text()),
        sa.Column("shipping_address_postal_code", sa.Text()),
        sa.Column("mailing_address_address1", sa.Text()),
        sa.Column("mailing_address_address2", sa.Text()),
        sa.Column("mailing_address_address3", sa.Text()),
        sa.Column("mailing_address_address4", sa.Text()),
        sa.Column("mailing_address_city", sa.Text()),
        sa.Column("mailing_address_county", sa.Text()),
        sa.Column("mailing_address_state", sa.Text()),
        sa.Column("mailing_address_province", sa.Text()),
        sa.Column("mailing_address_country", sa.Text()),
        sa.Column("mailing_address_postal_code", sa.Text()),
        sa.Column("billing_address_address1", sa.Text()),
        sa.Column("billing_address_address2", sa.Text()),
        sa.Column("billing_address_address3", sa.Text()),
        sa.Column("billing_address_address4", sa.Text()),
        sa.Column("billing_address_city", sa.Text()),
        sa.Column("billing_address_county", sa.Text()),
        sa.Column("billing_address_state", sa.Text()),
        sa.Column("billing_address_province", sa.Text()),
        sa.Column("billing_address_country", sa.Text()),
        sa.Column("billing_address_postal_code", sa.Text()),
        sa.Column("attributes", sa.JSON(none_as_null=True)),
        sa.Column("engagement_preferences", sa.JSON(none_as_null=True)),
        sa.Column("origins", sa.JSON(none_as_null=True)),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("last_upload_job", sa.BigInteger()),
        sa.PrimaryKeyConstraint("pid"),
    )
    op.create_index("profile_expiry", "profile", ["domain_id", "expires_at"])

    op.create_table(
        "profile_key",
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("name", BYTE_ORDERED_TEXT, nullable=False),
        sa.Column("value", BYTE_ORDERED_TEXT, nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "name", "value", "pid"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "row_sequence",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "indexed_field",
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("is_built", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["domain_id"], ["domain.domain_id"]),
        sa.PrimaryKeyConstraint("domain_id", "path"),
    )
    op.create_table(
        "upload_job",
        sa.Column("upload_job_id", ROW_NUMBER, autoincrement=True, nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("domain_id", sa.BigInteger(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("unique_key", sa.Text(), nullable=False),
        sa.Column("data_expiry_days", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text()),
        sa.Column("failure_message", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("completed_at", sa.BigInteger()),
        sa.Column("stop_requested_at", sa.BigInteger()),
        sa.Column("client_token", sa.LargeBinary()),
        sa.Column("file_name", sa.Text()),
        sa.Column("file_size_bytes", sa.BigInteger()),
        sa.Column("file_received_at", sa.BigInteger()),
        sa.Column("phase", sa.Text()),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("record_count", sa.BigInteger()),
        sa.Column("created_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("updated_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("pid_base", sa.BigInteger()),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.UniqueConstraint("job_id"),
        sa.ForeignKeyConstraint(["domain_id"], ["domain.domain_id"]),
        sa.PrimaryKeyConstraint("upload_job_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("upload_job_list", "upload_job", ["domain_id", "created_at", "upload_job_id"])
    op.create_index("upload_job_status", "upload_job", ["status"])
