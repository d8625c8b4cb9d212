"""The removal of many rows: in transactions that follow the time they take, until nothing is left."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.engine import Connection

import by_hand
from openprofiles.facts.records import Domain
from openprofiles.profiles import domains, profiles
from openprofiles.profiles.profiles import ProfileChange
from openprofiles.store import tables
from openprofiles.store.connections import Store
from openprofiles.store.removal import remove_deleted_domain_step
from openprofiles.worker import cleaning as cleaning_module
from openprofiles.worker.cleaning import Cleaning
from store.made_rows import NOW, make_domain

PROFILES = 2_500
LATER = NOW + timedelta(days=60)


def fill(store: Store, domain: Domain) -> None:
    """Profiles with two keys each, as a load leaves them."""
    numbers = range(1, PROFILES + 1)
    times = {"created_at": NOW, "updated_at": NOW, "expires_at": NOW + timedelta(days=30)}
    with store.write() as connection:
        connection.execute(
            insert(tables.profile),
            [
                {
                    "pid": 10_000 + number,
                    "domain_id": domain.domain_id,
                    "profile_id": f"{number:032x}",
                    "email_address": f"{number}@example.com",
                    "account_number": f"A-{number}",
                    **times,
                }
                for number in numbers
            ],
        )
        connection.execute(
            insert(tables.profile_key),
            [
                {"domain_id": domain.domain_id, "name": name, "value": value.format(number), "pid": 10_000 + number}
                for number in numbers
                for name, value in (("_email", "{}@example.com"), ("_account", "a-{}"))
            ],
        )


def count(store: Store, table: object) -> int:
    with store.read() as connection:
        number: int = connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]
        return number


@pytest.mark.parametrize(
    ("step", "is_deleted"),
    [(remove_deleted_domain_step, True), (profiles.remove_expired_profiles_step, False)],
    ids=["deleted domain", "expired profiles"],
)
def test_what_is_to_go_is_removed_in_steps_that_grow_while_they_are_quick(
    store: Store,
    step: Callable[[Connection, datetime, int], int],
    is_deleted: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A step takes a hundredth of a second, however busy the machine is.
    monkeypatch.setattr(
        cleaning_module,
        "time",
        SimpleNamespace(monotonic=(tick / 100 for tick in itertools.count()).__next__, sleep=int),
    )
    gone, kept = make_domain(store, "gone"), make_domain(store, "kept")
    fill(store, gone)
    by_hand.create_profile(store, kept.name, ProfileChange(values={"EmailAddress": "kept@example.com"}), LATER)
    if is_deleted:
        by_hand.write(store, gone.name, domains.delete_domain)
    limits: list[int] = []

    def watched_step(connection: Connection, now: datetime, limit: int) -> int:
        limits.append(limit)
        return step(connection, now, limit)

    cleaning = Cleaning(store, watched_step)
    while cleaning.run(LATER):
        pass

    assert (count(store, tables.profile), count(store, tables.profile_key)) == (1, 1)
    assert limits[0] == 300
    assert 300 < max(limits) <= 10_000


def test_a_cleaning_that_finds_more_and_more_stops_after_a_while_and_says_so(store: Store) -> None:
    cleaning = Cleaning(store, lambda _connection, _now, limit: limit)

    assert cleaning.run(NOW)


def test_an_expired_profile_goes_with_the_keys_of_every_field_that_is_indexed(store: Store) -> None:
    domain = make_domain(store, "shop")
    paths = ("BirthDate", "Attributes.tier")
    with store.write() as connection:
        for path in paths:
            connection.execute(
                insert(tables.indexed_field).values(domain_id=domain.domain_id, path=path, is_built=True)
            )
    change = ProfileChange(
        values={"EmailAddress": "a@example.com", "BirthDate": "1985-12-10", "LastName": "Lovelace"},
        attributes={"tier": "gold"},
    )
    by_hand.create_profile(store, domain.name, change, NOW)
    keys_before = count(store, tables.profile_key)

    with store.write() as connection:
        assert profiles.remove_expired_profiles_step(connection, LATER, 10) == 1

    assert keys_before == 4
    assert (count(store, tables.profile), count(store, tables.profile_key)) == (0, 0)
