"""A new table says once what owns its rows; their removal and the documents follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from scripts.make_growing_page import PAGE, make_growing_page
from sqlalchemy import BigInteger, Column, Table, func, insert, select

import by_hand
from openprofiles.ids import row_number_of
from openprofiles.profiles import domains
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store.connections import Store
from openprofiles.store.owned_rows import Kept, Owner, owned_by, owned_rows
from openprofiles.store.removal import remove_deleted_domain_step, remove_rows_of_ended_jobs_step
from openprofiles.store.tables import metadata, tables_of
from store.made_rows import NOW, make_domain, make_job

DAY = timedelta(days=1)


@pytest.fixture
def toys(store: Store) -> Iterator[dict[Owner, Table]]:
    """Tables that belong to a domain, a profile and an upload job, each declared in one place."""
    owners = (Owner.DOMAIN, Owner.PROFILE, Owner.UPLOAD_JOB)
    made = {
        owner: Table(
            f"toy_of_{owner.name.lower()}",
            metadata,
            Column(owner.value, BigInteger, primary_key=True, autoincrement=False),
            Column("number", BigInteger, primary_key=True),
            info=owned_by(
                owner,
                "a few toys",
                kept=Kept.AS_FAILED_ROWS if owner is Owner.UPLOAD_JOB else None,
                is_distributed=owner is Owner.UPLOAD_JOB,
                rows_at_once=2,
            ),
        )
        for owner in owners
    }
    with store.write() as connection:
        metadata.create_all(connection, tables=list(made.values()))
    yield made
    for table in made.values():
        metadata.remove(table)


def fill(store: Store, table: Table, owner_number: int) -> None:
    with store.write() as connection:
        connection.execute(insert(table), [{table.c[0].name: owner_number, "number": number} for number in range(3)])


def count(store: Store, table: Table) -> int:
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_the_rows_of_a_new_table_go_with_a_deleted_domain_and_those_of_others_stay(
    store: Store, toys: dict[Owner, Table]
) -> None:
    for name in ("gone", "stays"):
        domain = make_domain(store, name)
        profile = by_hand.create_profile(store, name, ProfileChange(values={"FirstName": "Ana"}), NOW)
        fill(store, toys[Owner.DOMAIN], domain.domain_id)
        fill(store, toys[Owner.PROFILE], row_number_of(profile.profile_id) or 0)
        fill(store, toys[Owner.UPLOAD_JOB], make_job(store, domain, domain.domain_id))
    by_hand.write(store, "gone", domains.delete_domain)

    steps = 0
    while True:
        with store.write() as connection:
            removed = remove_deleted_domain_step(connection, NOW, 100)
        assert removed <= 2
        if not removed:
            break
        steps += 1

    assert steps > 3 * len(toys)
    assert {owner: count(store, table) for owner, table in toys.items()} == dict.fromkeys(toys, 3)


def test_the_rows_of_a_new_table_of_upload_jobs_go_when_they_have_been_kept_long_enough(
    store: Store, toys: dict[Owner, Table]
) -> None:
    fill(store, toys[Owner.UPLOAD_JOB], make_job(store, make_domain(store, "shop"), 1, completed_at=NOW))

    def remove(days: int) -> list[int]:
        with store.write() as connection:
            later = NOW + days * DAY
            return [
                remove_rows_of_ended_jobs_step(connection, later, 9, failed_rows_days=30, replaced_values_days=0)
                for _ in range(3)
            ]

    assert (remove(30), remove(31)) == ([0, 0, 0], [2, 1, 0])
    assert count(store, toys[Owner.UPLOAD_JOB]) == 0


def test_the_page_on_growing_has_a_new_table(toys: dict[Owner, Table]) -> None:
    page = make_growing_page(PAGE.read_text(encoding="utf-8"))

    assert "| `toy_of_profile` | a full copy on every host | a few toys |" in page
    assert "| `toy_of_upload_job` | `upload_job_id` | a few toys, for as long as failed rows |" in page
    assert "create_distributed_table('toy_of_upload_job', 'upload_job_id', colocate_with => 'failed_row')" in page


def test_a_table_whose_rows_an_upload_job_owns_says_how_long_they_are_kept() -> None:
    kept = {table.name: owned_rows(table).kept for table in metadata.tables.values()}

    assert {name for name, how_long in kept.items() if how_long is not None} == {
        table.name for table in metadata.tables.values() if owned_rows(table).owner is Owner.UPLOAD_JOB
    }


def test_the_rows_of_a_table_that_a_job_owns_go_with_the_row_of_the_job() -> None:
    for table in tables_of(Owner.JOB):
        (of_job,) = table.c[Owner.JOB.value].foreign_keys
        assert (of_job.target_fullname, of_job.ondelete) == ("job.job_number", "CASCADE"), table.name
