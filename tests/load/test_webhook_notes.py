"""Every way in which a load ends notes whom to tell, in the transaction that ends it."""

from __future__ import annotations

import pytest

import by_hand
from load.loading import Shop
from load.oracle import Column
from openprofiles.store.webhooks import Delivery, find_delivery
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.jobs import stop_job
from openprofiles.uploads.webhook_url import check_webhook_url
from openprofiles.uploads.webhooks import put_webhook

COLUMNS = (Column("Email", "EmailAddress"),)
GOOD, PARTIAL, BAD = b"Email\na@x\n", b"Email\na@x\nb@x,c\n", b"E-Mail\na@x\n"
OF_DOMAIN, OF_JOB = "http://127.0.0.1:1/domain", "http://127.0.0.1:1/job"


def put(shop: Shop, url: str | None) -> None:
    checked = None if url is None else check_webhook_url(url, private_addresses=True)
    by_hand.write(shop.store, shop.domain, put_webhook, shop.place.master_key, url=checked, secret=None)


@pytest.mark.parametrize(("data", "status"), [(GOOD, "SUCCEEDED"), (PARTIAL, "PARTIALLY_SUCCEEDED"), (BAD, "FAILED")])
def test_a_load_that_ends_notes_the_url_of_the_domain(shop: Shop, data: bytes, status: str) -> None:
    put(shop, OF_DOMAIN)

    job = shop.load(COLUMNS, "Email", data)

    with shop.store.read() as connection:
        noted = find_delivery(connection, job.job_number)
    assert job.status == status
    assert noted == Delivery(OF_DOMAIN, 0, job.completed_at, None, None, None)


def test_a_load_that_is_stopped_notes_it(shop: Shop) -> None:
    put(shop, OF_DOMAIN)
    job = shop.create_job(COLUMNS, "Email", GOOD)
    orders = shop.claim(job)
    by_hand.write(shop.store, shop.domain, stop_job, job.job_id)

    with shop.store.read() as connection:
        before = find_delivery(connection, job.job_number)
    shop.place.loader.go_on_to_the_end(shop.place.loader.send(orders))

    with shop.store.read() as connection:
        noted = find_delivery(connection, job.job_number)
    assert (before, shop.job(job).status) == (None, "STOPPED")
    assert noted is not None
    assert noted.url == OF_DOMAIN


@pytest.mark.parametrize("of_domain", [OF_DOMAIN, None])
def test_a_load_with_a_url_of_its_own_notes_that(shop: Shop, of_domain: str | None) -> None:
    put(shop, of_domain)
    job = shop.create_job(COLUMNS, "Email", GOOD, options=JobOptions(webhook_url=OF_JOB))

    shop.run(job)

    with shop.store.read() as connection:
        noted = find_delivery(connection, job.job_number)
    assert noted is not None
    assert noted.url == OF_JOB


@pytest.mark.parametrize("has_secret", [True, False])
def test_a_load_of_a_domain_without_a_url_notes_nothing(shop: Shop, has_secret: bool) -> None:
    if has_secret:
        put(shop, None)

    job = shop.load(COLUMNS, "Email", GOOD)

    with shop.store.read() as connection:
        assert find_delivery(connection, job.job_number) is None
