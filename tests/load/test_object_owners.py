"""A file and the fields that objects have given: it replaces them unless their type has a priority."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import by_hand
from load.loading import NOW, Shop
from load.oracle import Column
from openprofiles.objects.lineage import read_lineage
from openprofiles.objects.objects import delete_profile_object
from openprofiles.objects.removal import remove_objects_of_deleted_types_step
from openprofiles.objects.type_definitions import delete_object_type
from openprofiles.operations.call import Call
from openprofiles.operations.registry import handlers
from openprofiles.profiles import profiles
from openprofiles.settings import Settings
from openprofiles.uploads.job_options import OVERWRITE, JobOptions
from store.object_shop import CRM, ObjectShop

COLUMNS = [Column("email", "EmailAddress"), Column("first", "FirstName"), Column("city", "Address.City")]
FILE = b"email,first,city\na@x.org,File,Filetown\nb@x.org,File,Filetown\n"


class Tester:
    """A caller who may see all domains."""

    def arn(self, _account_id: str, /) -> str:
        return by_hand.ACTOR

    def may_see_domain(self, _domain_name: str, /) -> bool:
        return True

    def may_do(self, _action: str, /) -> bool:
        return True


pytestmark = pytest.mark.daily_on("sqlite", "postgresql")


def fill(shop: Shop) -> ObjectShop:
    """Make two customers: objects have given their names and cities, and a person has set the city of the second."""
    made = ObjectShop(shop.store, shop.domain)
    assert made.now == NOW
    made.define("Crm", SourcePriority=1)
    fields = {name: CRM["Fields"][name] for name in ("id", "mail", "city")}
    made.define("Web", {**CRM, "Fields": fields})
    crm = {**CRM, "Fields": {name: CRM["Fields"][name] for name in ("id", "mail", "first")}}
    made.define("Crm", crm, SourcePriority=1)
    for number, mail in enumerate(("a@x.org", "b@x.org")):
        made.put("Crm", {"id": number, "mail": mail, "first": "Object"})
        made.put("Web", {"id": number, "mail": mail, "city": "Objectville"})
    made.update(made.only("_email", "b@x.org"), **{"Address.City": "Hand"})
    return made


def values(made: ObjectShop, mail: str) -> tuple[str, str]:
    profile = made.only("_email", mail)
    return profile.values["FirstName"], profile.values["Address.City"]


def provenance(made: ObjectShop, mail: str) -> tuple[frozenset[str], object, object]:
    profile = made.only("_email", mail)
    return profile.origins, profile.sources, made.at.read(made.store, made.domain, read_lineage, profile.profile_id)


@pytest.mark.parametrize(
    ("overwrites", "second"), [(False, ("Object", "Hand")), (True, ("Object", "Filetown"))], ids=["kept", "overwritten"]
)
def test_a_file_replaces_what_objects_without_a_priority_have_given(
    shop: Shop, *, overwrites: bool, second: tuple[str, str]
) -> None:
    made = fill(shop)
    before = [provenance(made, mail) for mail in ("a@x.org", "b@x.org")]
    options = JobOptions(hand_set_fields=OVERWRITE) if overwrites else JobOptions()

    job = shop.run(shop.create_job(COLUMNS, "email", FILE, options=options))

    assert job.updated_count == 2
    assert (values(made, "a@x.org"), values(made, "b@x.org")) == (("Object", "Filetown"), second)
    assert made.only("_email", "b@x.org").origins == (frozenset() if overwrites else frozenset({"Address.City"}))

    shop.undo(job)
    assert (values(made, "a@x.org"), values(made, "b@x.org")) == (("Object", "Objectville"), ("Object", "Hand"))
    assert [provenance(made, mail) for mail in ("a@x.org", "b@x.org")] == before


def test_a_file_that_changes_only_protected_fields_changes_nothing(shop: Shop) -> None:
    made = fill(shop)

    job = shop.load(COLUMNS[:2], "email", b"email,first\na@x.org,File\nb@x.org,File\n")

    assert (job.updated_count, job.unchanged_count) == (2, 2)
    assert values(made, "a@x.org") == ("Object", "Objectville")


def test_a_deleted_type_takes_no_value_of_a_file_along(shop: Shop) -> None:
    made = fill(shop)
    shop.load(COLUMNS, "email", FILE)

    by_hand.write(shop.store, shop.name, delete_object_type, "Web")
    with shop.store.write() as connection:
        # Another test may have deleted a type, too.
        while remove_objects_of_deleted_types_step(connection, NOW, 100, keeps_replaced=True, strict=False):
            pass
    found = by_hand.read(shop.store, shop.name, read_lineage, made.only("_email", "a@x.org").profile_id)

    assert values(made, "a@x.org") == ("Object", "Filetown")
    assert [(one.path, one.origin.value, one.object_type) for one in found] == [
        ("Address.City", "UPLOAD_JOB", None),
        ("EmailAddress", "OBJECT", "Crm"),
        ("FirstName", "OBJECT", "Crm"),
    ]


def test_a_file_takes_no_key_that_an_object_holds(shop: Shop) -> None:
    made = ObjectShop(shop.store, shop.domain)
    made.define("Crm")
    made.put("Crm", {"id": "7", "mail": "a@x.org"})
    columns = [Column("account", "AccountNumber"), Column("email", "EmailAddress")]
    made.update(made.only("crmId", "7"), AccountNumber="A1")

    shop.load(columns, "account", b"account,email\nA1,b@x.org\n")

    assert made.only("_email", "b@x.org").pid == made.only("_email", "a@x.org").pid
    made.put("Crm", {"id": "7", "mail": "c@x.org"})
    assert [len(made.find("_email", f"{letter}@x.org")) for letter in "abc"] == [0, 0, 1]


def test_the_history_of_a_profile_has_its_calls_its_objects_and_its_files(shop: Shop) -> None:
    made = ObjectShop(shop.store, shop.domain)
    made.define("Crm")
    profile = made.create(EmailAddress="a@x.org")
    profile_id = profile.profile_id
    made.update(profile, FirstName="Hand")
    made.at.write(made.store, made.domain, profiles.add_profile_key, profile_id, "crmId", ["7"])
    for tier in ("silver", "gold"):
        unique_key = made.put("Crm", {"id": "7", "tier": tier})
    job = shop.load([COLUMNS[0], COLUMNS[2]], "email", b"email,city\na@x.org,Filetown\n")
    made.at.write(made.store, made.domain, delete_profile_object, profile_id, "Crm", unique_key)

    call = Call(
        settings=Settings(data_folder=Path(), account_id="000000000000"),
        store=shop.store,
        read_master_key=lambda: shop.place.master_key,
        principal=Tester(),
        request_id="r-1",
        region="us-east-1",
        now=NOW,
        base_url="http://localhost",
    )

    def records(**filters: str) -> list[Any]:
        request = {"DomainName": shop.name, "ProfileId": profile_id, **filters}
        found: list[Any] = handlers()["ListProfileHistoryRecords"](call, request)["ProfileHistoryRecords"]
        return found

    def content(record_id: str) -> Any:
        request = {"DomainName": shop.name, "ProfileId": profile_id, "Id": record_id}
        return json.loads(handlers()["GetProfileHistoryRecord"](call, request)["Content"])

    deleted, loaded, gold, silver, key_added, updated, created = found = records()
    of_job = f"arn:aws:profile:us-east-1:000000000000:domains/{shop.name}/upload-jobs/{job.job_id}"
    assert [(one["ObjectTypeName"], one["ActionType"], one["PerformedBy"]) for one in found] == [
        ("Crm", "DELETED_BY_CUSTOMER", by_hand.ACTOR),
        ("_profile", "INGESTED", of_job),
        ("Crm", "INGESTED", by_hand.ACTOR),
        ("Crm", "INGESTED", by_hand.ACTOR),
        ("_profile", "ADDED_PROFILE_KEY", by_hand.ACTOR),
        ("_profile", "UPDATED", by_hand.ACTOR),
        ("_profile", "CREATED", by_hand.ACTOR),
    ]
    assert records(ObjectTypeName="Crm") == [deleted, gold, silver]
    assert records(ActionType="INGESTED") == [loaded, gold, silver]
    assert records(ActionType="INGESTED", ObjectTypeName="Crm") == [gold, silver]
    assert records(PerformedBy=of_job) == [loaded]
    assert records(PerformedBy=by_hand.ACTOR) == [deleted, gold, silver, key_added, updated, created]
    contents = {one["Id"]: content(one["Id"]) for one in found}
    assert contents[key_added["Id"]] == {"KeyName": "crmId", "Values": ["7"]}
    assert [
        (one.get("FirstName"), one.get("Address", {}).get("City"), one.get("Attributes", {}).get("Tier"))
        for one in (contents[record["Id"]] for record in (deleted, loaded, gold, silver, updated, created))
    ] == [
        ("Hand", "Filetown", "gold"),
        ("Hand", "Filetown", "gold"),
        ("Hand", None, "gold"),
        ("Hand", None, "silver"),
        ("Hand", None, None),
        (None, None, None),
    ]
