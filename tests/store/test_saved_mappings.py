"""Mappings that a domain keeps by name."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

import by_hand
from openprofiles.clock import from_milliseconds
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.facts.records import Domain
from openprofiles.pages import write_token
from openprofiles.profiles import domains
from openprofiles.store import tables
from openprofiles.store.connections import Store
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.mappings.saved_mappings import NewMapping, SavedMapping
from openprofiles.uploads.reading.file_choices import FileChoices
from openprofiles.uploads.reading.file_form import FileOptions

NOW = from_milliseconds(1_780_000_000_123)
LATER = NOW + timedelta(days=2)
FIELDS = {
    "Email": {"Source": "_source.E-Mäil", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
    "Tier": {"Source": "_source.Tier", "Target": "_profile.Attributes.tier"},
}
COLUMNS = ["E-Mäil", "Tier", "Notes", ""]


def make_domain(store: Store, name: str = "shop") -> Domain:
    return domains.create_domain(
        store, name, default_expiration_days=30, config={}, tags={}, phone_region="US", now=NOW
    )


def put(store: Store, domain: Domain, name: str = "daily", now: datetime = NOW, **given: Any) -> SavedMapping:
    members: dict[str, Any] = {"fields": FIELDS, "unique_key": "Email", "columns": COLUMNS, "strict": False} | given
    return by_hand.At(now).write(store, domain, saved_mappings.put_mapping, NewMapping(name=name, **members))


def names(store: Store, domain: Domain) -> list[str]:
    page = by_hand.read(store, domain, saved_mappings.list_mappings)
    return [one.name for one in page.definitions]


def test_a_mapping_is_read_as_it_was_saved(store: Store) -> None:
    domain = make_domain(store)

    saved = put(store, domain)

    assert saved == SavedMapping("daily", FIELDS, "Email", COLUMNS, NOW, NOW)
    assert by_hand.read(store, domain, saved_mappings.get_mapping, "daily") == saved


def test_what_was_chosen_about_reading_the_file_is_kept_with_a_mapping(store: Store) -> None:
    domain = make_domain(store)
    reading = FileChoices(file=FileOptions(encoding="cp1250"), sheet="Kunden", checks=("Phone=none",))

    put(store, domain, reading=reading)
    found = by_hand.read(store, domain, saved_mappings.get_mapping, "daily")

    assert (found.columns, FileChoices.from_json(found.reading)) == (COLUMNS, reading)
    # The next one that is saved under this name has its own.
    assert put(store, domain).reading == {}


def test_saved_again_it_is_another_mapping_as_old_as_the_first(store: Store) -> None:
    domain = make_domain(store)
    put(store, domain)
    other = put(store, domain, "Daily")

    put(store, domain, fields={"T": FIELDS["Tier"]}, unique_key="T", columns=["Tier"], now=LATER)

    assert by_hand.read(store, domain, saved_mappings.get_mapping, "daily") == SavedMapping(
        "daily", {"T": FIELDS["Tier"]}, "T", ["Tier"], NOW, LATER
    )
    assert by_hand.read(store, domain, saved_mappings.get_mapping, "Daily") == other


def test_each_domain_has_its_own(store: Store) -> None:
    shop, other = make_domain(store), make_domain(store, "other")
    put(store, shop)
    put(store, other, "weekly")

    assert (names(store, shop), names(store, other)) == (["daily"], ["weekly"])
    with pytest.raises(NotFound, match=r"^The domain other has no mapping daily\. It has: weekly\.$"):
        by_hand.read(store, other, saved_mappings.get_mapping, "daily")
    with pytest.raises(NotFound, match=r"^The domain other has no mapping daily\. It has: weekly\.$"):
        by_hand.write(store, other, saved_mappings.delete_mapping, "daily")
    assert names(store, shop) == ["daily"]


def test_a_mapping_that_was_deleted_is_gone(store: Store) -> None:
    domain = make_domain(store)
    put(store, domain)
    put(store, domain, "weekly")

    by_hand.write(store, domain, saved_mappings.delete_mapping, "daily")

    assert names(store, domain) == ["weekly"]
    with pytest.raises(NotFound):
        by_hand.read(store, domain, saved_mappings.get_mapping, "daily")


def test_the_list_is_by_name_in_pages(store: Store) -> None:
    domain = make_domain(store)
    for name in ("b", "_", "a-1", "B", "1"):
        put(store, domain, name)

    pages: list[list[str]] = []
    token = None
    while not pages or token is not None:
        page = by_hand.read(store, domain, saved_mappings.list_mappings, max_results=2, next_token=token)
        pages.append([one.name for one in page.definitions])
        token = page.next_token

    assert pages == [["1", "B"], ["_", "a-1"], ["b"]]


@pytest.mark.parametrize("token", [write_token("ListDomains", ["a"]), write_token("ListMappings", [1]), "x"])
def test_a_token_of_another_list_is_refused(store: Store, token: str) -> None:
    domain = make_domain(store)

    with pytest.raises(InvalidRequest, match="NextToken"):
        by_hand.read(store, domain, saved_mappings.list_mappings, max_results=2, next_token=token)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"unique_key": "Mail"}, "UniqueKey Mail is not one of the Fields"),
        ({"fields": {}}, "Fields is empty"),
        ({"columns": ["E-Mäil"]}, "Field Tier has a Source that is not in Columns"),
        (
            {"fields": {f"f{n}": {"Source": "_source.Tier", "Target": f"_profile.Attributes.a{n}"} for n in range(26)},
             "unique_key": "f0", "strict": True},
            "AWS allows at most 25",
        ),
    ],
)  # fmt: skip
def test_a_mapping_that_no_job_could_use_is_refused(store: Store, given: dict[str, Any], message: str) -> None:
    domain = make_domain(store)

    with pytest.raises(InvalidRequest, match=message):
        put(store, domain, **given)

    assert names(store, domain) == []


def test_a_deleted_domain_gets_none_and_a_new_one_of_its_name_begins_without_any(store: Store) -> None:
    domain = make_domain(store)
    put(store, domain)
    by_hand.write(store, "shop", domains.delete_domain)

    with pytest.raises(NotFound, match=r"^Domain shop does not exist\.$"):
        put(store, domain)

    assert names(store, make_domain(store)) == []


def test_a_name_is_kept_once_by_a_domain(store: Store) -> None:
    domain = make_domain(store)
    put(store, domain)

    with pytest.raises(Exception, match=r"(?i)unique"), store.write() as connection:
        connection.execute(
            insert(tables.definition).values(
                domain_id=domain.domain_id, kind="mapping", name="daily", summary={}, tags={}, version=1,
                created_at=NOW, updated_at=NOW,
            )
        )  # fmt: skip
