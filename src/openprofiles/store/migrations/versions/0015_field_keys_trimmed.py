"""Keys of the fields that upload jobs are indexed by, without surrounding blanks and composed (NFC).

The databases replace them, so memory does not depend on their number. The step is one transaction: if it is
interrupted, the store is as before, and the next attempt begins again. A program of the last release that still runs
looks for keys as they were, and finds all except those that had blanks.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# As ``facts.normal_forms`` had them when this step was written.
BLANKS = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200C))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
IS_OF_FIELD = "name >= '_profile.' and name < '_profile/'"


def upgrade() -> None:
    domain_ids = read_numbers("select domain_id from domain")
    # What a load would have taken from the index, for its undo.
    job_ids = read_numbers(f"select distinct upload_job_id from undo_absent_key where {IS_OF_FIELD}")
    replace = replace_in_postgresql if op.get_bind().dialect.name == "postgresql" else replace_in_sqlite
    for domain_id in domain_ids:
        replace("profile_key", "domain_id", domain_id)
    for upload_job_id in job_ids:
        replace("undo_absent_key", "upload_job_id", upload_job_id)


def read_numbers(query: str) -> list[int]:
    return list(op.get_bind().execute(sa.text(query)).scalars().all())


def replace_in_postgresql(table: str, owner: str, owner_id: int) -> None:
    form = "normalize(btrim(value, :blanks), NFC)"
    op.get_bind().execute(
        sa.text(
            f"with gone as (delete from {table} where {owner} = :owner_id and {IS_OF_FIELD} and value <> {form} "
            f"returning name, {form} as form, pid) insert into {table} ({owner}, name, value, pid) "
            "select :owner_id, name, form, pid from gone where form <> '' order by name, form, pid "
            "on conflict do nothing"
        ),
        {"owner_id": owner_id, "blanks": BLANKS},
    )


def replace_in_sqlite(table: str, owner: str, owner_id: int) -> None:
    connection = op.get_bind()
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.create_function("trimmed_and_composed", 1, trimmed_and_composed, deterministic=True)
    for statement in (
        # Nearly all are plain, which SQLite shows faster than a function of ours.
        "create temp table changed as select name, value, trimmed_and_composed(value) as form, pid "
        f"from {table} where {owner} = :owner_id and {IS_OF_FIELD} "
        "and (value glob '*[^ -~]*' or value glob ' *' or value glob '* ') and trimmed_and_composed(value) <> value",
        f"delete from {table} where {owner} = :owner_id "
        "and (name, value, pid) in (select name, value, pid from changed)",
        f"insert or ignore into {table} ({owner}, name, value, pid) "
        "select :owner_id, name, form, pid from changed where form <> '' order by name, form, pid",
        "drop table changed",
    ):
        connection.execute(sa.text(statement), {"owner_id": owner_id} if ":owner_id" in statement else {})


def trimmed_and_composed(value: str) -> str:
    return unicodedata.normalize("NFC", value.strip(BLANKS))
