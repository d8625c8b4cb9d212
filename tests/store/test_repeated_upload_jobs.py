"""Creating and starting an upload job again with the token of the first time."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select, text

import by_hand
from openprofiles.clock import from_milliseconds
from openprofiles.errors import InvalidRequest
from openprofiles.facts.records import Domain
from openprofiles.job_kinds import UPLOAD, JobKind
from openprofiles.master_key import MasterKey
from openprofiles.profiles import domains
from openprofiles.settings import PostgresqlUrl
from openprofiles.store import job_queue, tables, upload_jobs
from openprofiles.store.connections import Connection, Store
from openprofiles.store.open import alembic_config, migrate
from openprofiles.store.postgresql import PostgresqlStore
from openprofiles.store.tables import is_described, metadata
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.jobs import JobRequest
from openprofiles.uploads.reading.file_form import FileOptions
from openprofiles.uploads.value_checks import ValueCheck
from postgresql_server import PostgresqlServer

NOW = from_milliseconds(1_780_000_000_123)
LATER = NOW + timedelta(hours=1)
KEY = MasterKey(bytes(32))
FIELDS = {
    "Email": {"Source": "_source.Email", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
    "Tier": {"Source": "_source.Tier", "Target": "_profile.Attributes.tier"},
}
AT_ONCE = 8


def make_domain(store: Store, name: str = "shop") -> Domain:
    return domains.create_domain(
        store, name, default_expiration_days=30, config={}, tags={}, phone_region="US", now=NOW
    )


def create(store: Store, domain: Domain, token: str | None, now: datetime = NOW, **given: Any) -> UploadJob:
    members: dict[str, Any] = {"display_name": "customers.csv", "fields": FIELDS, "unique_key": "Email"} | given
    return by_hand.create_job(store, domain, KEY, JobRequest(idempotency_token=token, **members), now)


def change(store: Store, job: UploadJob, **values: object) -> None:
    """As a worker would."""
    with store.write() as connection:
        assert job_queue.update_job(connection, job, only_in=job.status, **values)


def give_file(store: Store, job: UploadJob) -> None:
    with store.write() as connection:
        upload_jobs.update_job(connection, job, file_name="file")


def with_file(store: Store, domain: Domain) -> UploadJob:
    job = create(store, domain, None)
    give_file(store, job)
    return job


def count_jobs(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(tables.job)).scalar_one())


def test_the_same_request_with_the_same_token_gives_the_job_that_was_made(store: Store) -> None:
    domain = make_domain(store)
    options = JobOptions(checks={"Tier": ValueCheck(kind="ONE_OF", values=("gold", "silver"))}, max_failed_percent=2.5)

    first = create(store, domain, "a.B-c_1", options=options)
    turned = {name: dict(reversed(field.items())) for name, field in reversed(FIELDS.items())}
    again = create(store, domain, "a.B-c_1", options=options, fields=turned, now=LATER)

    assert again == first
    assert count_jobs(store) == 1


def test_what_a_request_leaves_to_the_defaults_is_the_same_as_the_defaults(store: Store) -> None:
    domain = make_domain(store)

    first = create(store, domain, "t")

    assert create(store, domain, "t", data_expiry_days=14, options=JobOptions()) == first


@pytest.mark.parametrize("status", list(UploadJobStatus))
def test_the_job_is_given_again_whatever_has_become_of_it(store: Store, status: UploadJobStatus) -> None:
    domain = make_domain(store)
    job = create(store, domain, "t")
    change(store, job, status=status)

    again = create(store, domain, "t", now=LATER)

    assert (again.job_id, again.status) == (job.job_id, status)


@pytest.mark.parametrize(
    "other",
    [
        {"display_name": "other.csv"},
        {"fields": {"Email": FIELDS["Email"]}},
        {"unique_key": "Tier"},
        {"data_expiry_days": 15},
        {"options": JobOptions(file=FileOptions(delimiter=";"))},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_request_with_the_same_token_is_told_and_makes_nothing(store: Store, other: dict[str, Any]) -> None:
    domain = make_domain(store)
    job = create(store, domain, "t")

    with pytest.raises(
        InvalidRequest, match=f"IdempotencyToken was used before by a different request, .* job {job.job_id}"
    ):
        create(store, domain, "t", **other)

    assert count_jobs(store) == 1


def test_other_tokens_other_domains_and_no_token_make_jobs_of_their_own(store: Store) -> None:
    shop, other = make_domain(store), make_domain(store, "other")

    made = [create(store, shop, token) for token in ("t", "T", None, None)] + [create(store, other, "t")]

    assert len({job.job_id for job in made}) == 5
    assert create(store, other, "t") == made[-1]


def test_a_new_domain_of_the_same_name_has_tokens_of_its_own(store: Store) -> None:
    domain = make_domain(store)
    first = create(store, domain, "t")
    by_hand.write(store, "shop", domains.delete_domain)
    again = make_domain(store)

    second = create(store, again, "t")

    assert second.job_id != first.job_id


def test_requests_at_the_same_time_make_one_job(store: Store) -> None:
    domain = make_domain(store)
    ready = threading.Barrier(AT_ONCE)

    def send(_number: int) -> UploadJob:
        ready.wait(30)
        return create(store, domain, "t")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = list(pool.map(send, range(AT_ONCE)))

    assert len({job.job_id for job in made}) == 1
    assert count_jobs(store) == 1


def test_of_two_at_once_the_second_looks_once_the_first_has_made_the_job(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = make_domain(store)
    looked = threading.Barrier(2)
    insert_job = job_queue.insert_job
    inserted: list[str] = []

    def insert_late(connection: Connection, kind: JobKind, values: Mapping[str, Any]) -> int:
        # The second one comes here only if it did not wait for the first.
        with suppress(threading.BrokenBarrierError):
            looked.wait(1)
        inserted.append(values["job_id"])
        return insert_job(connection, kind, values)

    monkeypatch.setattr(job_queue, "insert_job", insert_late)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: create(store, domain, "t"), range(2))

    assert one == other
    assert inserted == [one.job_id]


def test_a_store_that_has_the_token_already_refuses_the_row(store: Store) -> None:
    domain = make_domain(store)
    create(store, domain, "t")

    with store.read() as connection:
        values = {
            name: value
            for table in (tables.upload_job, tables.job)
            for name, value in connection.execute(select(table)).mappings().one().items()
            if name not in ("job_number", "kind")
        }

    with pytest.raises(Exception, match=r"(?i)unique"), store.write() as connection:
        job_queue.insert_job(connection, UPLOAD, values | {"job_id": "another"})

    assert count_jobs(store) == 1


def test_a_job_is_started_once_and_its_token_is_good_until_after_its_end(store: Store) -> None:
    domain = make_domain(store)
    job = with_file(store, domain)

    by_hand.write(store, domain, jobs.start_job, job.job_id, idempotency_token="t")
    by_hand.At(LATER).write(store, domain, jobs.start_job, job.job_id, idempotency_token="t")
    started = by_hand.read(store, domain, jobs.get_job, job.job_id)
    by_hand.At(LATER).write(store, domain, jobs.stop_job, job.job_id)
    by_hand.At(LATER).write(store, domain, jobs.start_job, job.job_id, idempotency_token="t")
    ended = by_hand.read(store, domain, jobs.get_job, job.job_id)

    assert (started.status, started.started_at) == (UploadJobStatus.IN_PROGRESS, NOW)
    assert (ended.status, ended.started_at) == (UploadJobStatus.STOPPED, NOW)


@pytest.mark.parametrize(("first", "second"), [("t", "u"), ("t", None), (None, "t"), (None, None)])
def test_a_started_job_is_not_started_again_with_another_token_or_none(
    store: Store, first: str | None, second: str | None
) -> None:
    domain = make_domain(store)
    job = with_file(store, domain)
    by_hand.write(store, domain, jobs.start_job, job.job_id, idempotency_token=first)

    with pytest.raises(InvalidRequest, match="is in IN_PROGRESS status and cannot be started; only a CREATED job can"):
        by_hand.At(LATER).write(store, domain, jobs.start_job, job.job_id, idempotency_token=second)


def test_a_start_that_was_refused_leaves_its_token_free(store: Store) -> None:
    domain = make_domain(store)
    job = create(store, domain, None)
    with pytest.raises(InvalidRequest, match="has no file yet"):
        by_hand.write(store, domain, jobs.start_job, job.job_id, idempotency_token="t")
    give_file(store, job)

    by_hand.At(LATER).write(store, domain, jobs.start_job, job.job_id, idempotency_token="t")

    assert by_hand.read(store, domain, jobs.get_job, job.job_id).status is UploadJobStatus.IN_PROGRESS


def test_starts_at_the_same_time_start_it_once(store: Store) -> None:
    domain = make_domain(store)
    job = with_file(store, domain)
    ready = threading.Barrier(AT_ONCE)

    def start(number: int) -> None:
        ready.wait(30)
        by_hand.At(NOW + timedelta(seconds=number)).write(
            store, domain, jobs.start_job, job.job_id, idempotency_token="t"
        )

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(start, range(AT_ONCE)))

    assert by_hand.read(store, domain, jobs.get_job, job.job_id).status is UploadJobStatus.IN_PROGRESS


def test_a_database_of_the_revision_before_gets_the_columns_and_keeps_its_jobs(
    postgresql_server: PostgresqlServer,
) -> None:
    store = PostgresqlStore(PostgresqlUrl(postgresql_server.create_database()))
    with store.write() as connection:
        command.upgrade(alembic_config(connection), "0008")
        connection.execute(
            text(
                "insert into domain (name, config, tags, default_expiration_days, phone_region, created_at, updated_at)"
                " values ('shop', '{}', '{}', 30, 'US', 0, 0)"
            )
        )
        connection.execute(
            text(
                "insert into upload_job (job_id, domain_id, display_name, fields, unique_key, data_expiry_days, status,"
                " created_at) select n, domain_id, 'old', '{}', 'Email', 14, 'CREATED', 0"
                " from domain, (values ('one'), ('two')) as job (n)"
            )
        )

    migrate(store)

    domain = by_hand.get_domain(store, "shop")
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_described})
        assert compare_metadata(context, metadata) == []
    assert create(store, domain, "t") == create(store, domain, "t")
    assert count_jobs(store) == 3
    store.close()
