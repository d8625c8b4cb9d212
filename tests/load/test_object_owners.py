"""A file and the fields that objects have given: it replaces them unless their type has a priority."""

from __future__ import annotations

import pytest

import by_hand
from load.loading import NOW, Shop
from load.oracle import Column
from openprofiles.facts.records import Profile
from openprofiles.objects.lineage import read_lineage
from openprofiles.objects.removal import remove_objects_of_deleted_types_step
from openprofiles.objects.type_definitions import delete_object_type
from openprofiles.uploads.job_options import OVERWRITE, JobOptions
from store.object_shop import CRM, ObjectShop

COLUMNS = [Column("email", "EmailAddress"), Column("first", "FirstName"), Column("city", "Address.City")]
FILE = b"email,first,city\na@x.org,File,Filetown\nb@x.org,File,Filetown\n"

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


def provenance(profile: Profile) -> tuple[frozenset[str], object]:
    return profile.origins, profile.sources


@pytest.mark.parametrize(
    ("overwrites", "second"), [(False, ("Object", "Hand")), (True, ("Object", "Filetown"))], ids=["kept", "overwritten"]
)
def test_a_file_replaces_what_objects_without_a_priority_have_given(
    shop: Shop, *, overwrites: bool, second: tuple[str, str]
) -> None:
    made = fill(shop)
    before = [provenance(made.only("_email", mail)) for mail in ("a@x.org", "b@x.org")]
    options = JobOptions(hand_set_fields=OVERWRITE) if overwrites else JobOptions()

    job = shop.run(shop.create_job(COLUMNS, "email", FILE, options=options))

    assert job.updated_count == 2
    assert (values(made, "a@x.org"), values(made, "b@x.org")) == (("Object", "Filetown"), second)
    assert made.only("_email", "b@x.org").origins == (frozenset() if overwrites else frozenset({"Address.City"}))

    shop.undo(job)
    assert (values(made, "a@x.org"), values(made, "b@x.org")) == (("Object", "Objectville"), ("Object", "Hand"))
    assert [provenance(made.only("_email", mail)) for mail in ("a@x.org", "b@x.org")] == before


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
        remove_objects_of_deleted_types_step(connection, NOW, 100, keeps_replaced=True, strict=False)
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
