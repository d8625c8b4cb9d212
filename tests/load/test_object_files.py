"""Files of objects: they give what PutProfileObject gives one by one, whoever dies meanwhile, and can be undone."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import budgets
import by_hand
from load.loader_server import AFTER, BEFORE, INSIDE
from load.loading import NOW, Place, Shop
from openprofiles.errors import InvalidRequest, NotFound
from openprofiles.objects.objects import unique_key_text
from openprofiles.objects.type_definitions import delete_object_type
from openprofiles.profiles.history import list_history
from openprofiles.store.job_queue import Job
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads import jobs
from openprofiles.uploads.failures.failed_rows_csv import failed_rows_csv
from openprofiles.uploads.job_options import CREATE_ONLY, REFUSE, JobOptions
from openprofiles.uploads.job_report import read_report
from openprofiles.uploads.jobs import JobRequest
from openprofiles.uploads.previews import read_preview, start_preview
from openprofiles.uploads.undo_outlook import read_undo_outlook
from store.object_shop import CRM, ObjectShop
from store.test_object_groups import ORDERS, customers, orders, some_objects, state

pytestmark = pytest.mark.daily_on("sqlite", "postgresql")

CUSTOMERS = b'{"id":"1","mail":"a@x.org","first":"Ada"}\n{"id":"2","mail":"b@x.org","first":"Bob"}\n'
COUNTS = ("created_count", "updated_count", "unchanged_count", "failed_count")

Content = dict[str, str]


def with_types(shop: Shop) -> ObjectShop:
    made = ObjectShop(shop.store, shop.domain)
    made.define("Crm", CRM)
    made.define("Prior", CRM, SourcePriority=1)
    made.define("Visits", {**CRM, "AllowProfileCreation": False})
    made.define("Orders", ORDERS)
    return made


def text_of(content: Content) -> str:
    return json.dumps(content, separators=(",", ":"))


def json_lines(contents: Sequence[Content]) -> bytes:
    return b"".join(text_of(one).encode() + b"\n" for one in contents)


def csv(contents: Sequence[Content], names: Sequence[str]) -> bytes:
    rows = [names, *([one.get(name, "") for name in names] for one in contents)]
    return "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in rows).encode()


def put_each(made: ObjectShop, type_name: str, contents: Sequence[Content]) -> int:
    """Put objects one by one; return how many were refused or became dead letters."""
    failed = 0
    for content in contents:
        try:
            unique_key = made.put(type_name, text_of(content))
        except InvalidRequest:
            failed += 1
        else:
            failed += unique_key in {unique_key_text(one.unique_key) for one in made.letters()}
    return failed


def profiles_and_objects(made: ObjectShop) -> Any:
    """Return what the store has of a domain, without its log and its dead letters."""
    profiles, sources, objects, keys, holders, _log, counts, _letters = state(made)
    return profiles, sources, objects, keys, holders, counts


def counts_of(job: UploadJob) -> dict[str, int]:
    return {name: getattr(job, name) for name in COUNTS}


@st.composite
def files(draw: st.DrawFn) -> tuple[list[tuple[str, Content]], str, list[Content]]:
    """Draw objects that were put before, and a file of objects of one type."""
    before = draw(st.lists(some_objects, max_size=6))
    type_name = draw(st.sampled_from(["Crm", "Prior", "Visits", "Orders"]))
    contents = draw(st.lists(orders if type_name == "Orders" else customers, min_size=1, max_size=8))
    return before, type_name, contents


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@budgets.LOADS
@given(drawn=files(), rows_per_chunk=st.integers(1, 4), is_csv=st.booleans())
def test_a_file_of_objects_gives_what_they_give_one_by_one_and_is_undone(
    place: Place, drawn: tuple[list[tuple[str, Content]], str, list[Content]], rows_per_chunk: int, *, is_csv: bool
) -> None:
    before, type_name, contents = drawn
    names = ["id", "who", "mail", "city", "first"] if type_name == "Orders" else ["id", "mail", "first"]
    if is_csv:
        # A blank cell is a member that is missing.
        contents = [{name: one[name] for name in names if one[name]} for one in contents]
    shop = place.open_shop()
    alone, loaded = with_types(place.open_shop()), with_types(shop)
    for made in (alone, loaded):
        for name, content in before:
            put_each(made, name, [content])
    untouched = profiles_and_objects(loaded)

    refused = put_each(alone, type_name, contents)
    data = csv(contents, names) if is_csv else json_lines(contents)
    job = shop.create_object_job(type_name, data, start=False)
    preview = shop.preview(job, rows_per_chunk=rows_per_chunk)
    assert profiles_and_objects(loaded) == untouched
    by_hand.At(NOW).write(shop.store, shop.domain, jobs.start_job, job.job_id)
    job = shop.run(job, rows_per_chunk=rows_per_chunk)

    assert profiles_and_objects(loaded) == profiles_and_objects(alone)
    assert job.failed_count == refused
    assert job.created_count + job.updated_count + job.failed_count == job.record_count == len(contents)
    assert counts_of(preview) == counts_of(job)
    if job.created_count + job.updated_count:
        undo = shop.undo(job, rows_per_chunk=rows_per_chunk)
        assert undo.job.kept_count == undo.job.gone_count == 0
        assert profiles_and_objects(loaded) == untouched


# An object that moves to another customer, one that is replaced, one that finds no profile, and one without a key.
BEFORE_FILE = [
    ("Crm", {"id": "1", "mail": "a@x.org", "first": "Ada"}),
    ("Crm", {"id": "2", "mail": "b@x.org", "first": "Bob"}),
    ("Orders", {"id": "1", "who": "1", "mail": "", "city": "Bern", "first": ""}),
]
FILE = [
    {"id": "1", "who": "2", "mail": "", "city": "Rome", "first": "Eve"},
    {"id": "2", "who": "3", "mail": "c@x.org", "city": "Oslo", "first": "Cat"},
    {"id": "", "who": "1", "mail": "", "city": "", "first": ""},
    {"id": "2", "who": "3", "mail": "c@x.org", "city": "Paris", "first": "Kat"},
    {"id": "3", "who": "", "mail": "", "city": "", "first": "Nobody"},
    {"id": "4", "who": "1", "mail": "", "city": "Wien", "first": "Ada"},
]


def fill(shop: Shop) -> ObjectShop:
    made = with_types(shop)
    for name, content in BEFORE_FILE:
        made.put(name, content)
    return made


def test_a_file_gives_the_counts_and_the_failed_rows_of_its_objects(shop: Shop) -> None:
    made = fill(shop)

    job = shop.run(shop.create_object_job("Orders", json_lines(FILE)), rows_per_chunk=2)

    assert (job.status, counts_of(job)) == (
        "PARTIALLY_SUCCEEDED",
        {"created_count": 1, "updated_count": 3, "unchanged_count": 0, "failed_count": 2},
    )
    assert [(row.line, row.faults) for row in shop.failed_records(job)] == [
        (3, (("MISSING_KEY", "id"),)),
        (5, (("MISSING_KEY", "who, mail"),)),
    ]
    assert [row.content for row in shop.failed_records(job)] == [json_lines([FILE[2]])[:-1], json_lines([FILE[4]])[:-1]]
    assert made.letters() == []
    bob = made.only("_email", "b@x.org")
    assert (bob.values["FirstName"], made.objects(bob, "Orders")) == ("Eve", [FILE[0]])
    page = made.at.read(shop.store, shop.domain, list_history, bob.profile_id, max_results=10, next_token=None)
    newest = page.records[0].change
    assert (newest.object_type, newest.job_id) == ("Orders", job.job_id)


def die_in_each_chunk(shop: Shop, job: Job, points: Sequence[str], *, is_lost: bool) -> int:
    """Have loaders die in their first chunk, in their second, and so on, until one ends; return how many have died."""
    for number in range(1, 50):
        die_at = (number, points[number % len(points)])
        event = shop.place.loader.send(shop.claim(job, rows_per_chunk=1, die_at=die_at))
        if event["event"] == "ended":
            return number - 1
        assert event["event"] == "died", event
        shop.release(job)
        if is_lost:
            shutil.rmtree(shop.place.settings.scratch_folder / job.job_id, ignore_errors=True)
    raise AssertionError("no loader has ended")


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(
    ("point", "is_lost"), [(BEFORE, False), (INSIDE, True), (AFTER, False)], ids=["before", "inside", "after"]
)
def test_a_loader_that_dies_in_any_chunk_loses_nothing_and_does_nothing_twice(
    place: Place, point: str, *, is_lost: bool
) -> None:
    whole = fill(place.open_shop())
    put_each(whole, "Orders", FILE)
    shop = place.open_shop()
    made = fill(shop)
    job = shop.create_object_job("Orders", json_lines(FILE))

    deaths = die_in_each_chunk(shop, job, [point], is_lost=is_lost)

    assert deaths >= 3
    job = shop.job(job)
    assert counts_of(job) == {"created_count": 1, "updated_count": 3, "unchanged_count": 0, "failed_count": 2}
    assert [row.line for row in shop.failed_rows(job)] == [3, 5]
    assert profiles_and_objects(made) == profiles_and_objects(whole)
    assert place.left_files(job) == []


def test_an_undo_that_dies_in_any_chunk_restores_everything(place: Place) -> None:
    shop = place.open_shop()
    made = fill(shop)
    untouched = profiles_and_objects(made)
    job = shop.run(shop.create_object_job("Orders", json_lines(FILE)), rows_per_chunk=1)
    undo = shop.start_undo(job)

    deaths = die_in_each_chunk(shop, undo, [AFTER, INSIDE, BEFORE], is_lost=True)

    assert deaths >= 3
    undo = shop.job(undo)
    assert (undo.status, undo.removed_count, undo.restored_count, undo.kept_count) == ("SUCCEEDED", 1, 2, 0)
    assert profiles_and_objects(made) == untouched


def test_an_undo_keeps_what_something_else_has_changed_and_says_so_before(shop: Shop) -> None:
    made = fill(shop)
    job = shop.run(shop.create_object_job("Orders", json_lines(FILE)), rows_per_chunk=2)
    made.update(made.only("_email", "a@x.org"), LastName="Hand")
    made.put("Orders", {"id": "2", "who": "3", "mail": "c@x.org", "city": "Riga", "first": "Kit"})
    before = profiles_and_objects(made)

    outlook = by_hand.read(shop.store, shop.domain, read_undo_outlook, job.job_id)
    undo = shop.undo(job)

    assert (outlook.created_count, outlook.changed_count, outlook.touched_count) == (1, 2, 2)
    assert (undo.job.removed_count, undo.job.restored_count, undo.job.kept_count) == (0, 0, 3)
    assert profiles_and_objects(made) == before


def test_a_customer_who_lost_an_object_gets_it_back_only_if_the_other_loses_it(shop: Shop) -> None:
    made = fill(shop)
    job = shop.run(shop.create_object_job("Orders", json_lines(FILE[:1])))
    ada, bob = made.only("_email", "a@x.org"), made.only("_email", "b@x.org")
    assert (made.objects(ada, "Orders"), made.objects(bob, "Orders")) == ([], [FILE[0]])
    made.update(bob, LastName="Hand")

    undo = shop.undo(job)

    assert (undo.job.restored_count, undo.job.kept_count) == (0, 2)
    assert (made.objects(ada, "Orders"), made.objects(bob, "Orders")) == ([], [FILE[0]])


@pytest.mark.parametrize("rows_per_chunk", [1, 3], ids=["chunks of one", "one chunk"])
def test_an_object_that_moves_and_comes_back_is_where_it_was_after_an_undo(shop: Shop, rows_per_chunk: int) -> None:
    made = fill(shop)
    untouched = profiles_and_objects(made)
    moves = [{"id": "1", "who": who, "mail": "", "city": city, "first": ""} for who, city in ("2x", "1y")]

    job = shop.run(shop.create_object_job("Orders", json_lines(moves)), rows_per_chunk=rows_per_chunk)
    assert [len(made.objects(made.only("_email", mail), "Orders")) for mail in ("a@x.org", "b@x.org")] == [1, 0]
    undo = shop.undo(job, rows_per_chunk=1)

    assert (undo.job.restored_count, undo.job.kept_count) == (2, 0)
    assert profiles_and_objects(made) == untouched


def test_customers_between_whom_objects_have_moved_are_undone_together_or_not_at_all(shop: Shop) -> None:
    made = fill(shop)
    made.put("Orders", {"id": "2", "who": "1", "mail": "", "city": "Wien", "first": ""})
    made.put("Crm", {"id": "3", "mail": "c@x.org", "first": "Cat"})
    # One of Ada's orders goes to Bob, and the other to Cat. A fourth customer has nothing to do with it.
    file = [
        {"id": "1", "who": "2", "mail": "", "city": "Rome", "first": ""},
        {"id": "2", "who": "3", "mail": "", "city": "Oslo", "first": ""},
        {"id": "3", "who": "4", "mail": "", "city": "Riga", "first": "Dan"},
    ]
    job = shop.run(shop.create_object_job("Orders", json_lines(file)), rows_per_chunk=1)
    made.update(made.only("crmId", "2"), LastName="Hand")

    undo = shop.undo(job, rows_per_chunk=1)

    assert (undo.job.removed_count, undo.job.restored_count, undo.job.kept_count) == (1, 0, 3)
    orders_of = {who: [one["id"] for one in made.objects(made.only("crmId", who), "Orders")] for who in "123"}
    assert orders_of == {"1": [], "2": ["1"], "3": ["2"]}
    assert made.find("crmId", "4") == []


@pytest.mark.daily_on("sqlite")
def test_a_preview_and_a_trial_that_die_in_any_chunk_count_every_row_once(place: Place) -> None:
    shop = place.open_shop()
    made = fill(shop)
    untouched = profiles_and_objects(made)
    job = shop.create_object_job("Orders", json_lines(FILE), start=False)
    preview = by_hand.At(NOW).write(shop.store, shop.domain, start_preview, place.master_key, job.job_id)

    assert die_in_each_chunk(shop, preview, [AFTER, INSIDE, BEFORE], is_lost=True) >= 3

    done = by_hand.read(shop.store, shop.domain, read_preview, place.master_key, preview.job_id)
    assert counts_of(done.job) == {"created_count": 1, "updated_count": 3, "unchanged_count": 0, "failed_count": 2}
    assert [one.record for one in done.samples] == [1, 2, 4]

    strict = shop.create_object_job("Orders", json_lines(FILE), options=JobOptions(max_failed_records=1))
    assert die_in_each_chunk(shop, strict, [AFTER, INSIDE, BEFORE], is_lost=False) >= 3

    strict = shop.job(strict)
    assert (strict.status, strict.failed_count, [row.line for row in shop.failed_rows(strict)]) == ("FAILED", 2, [3, 5])
    assert profiles_and_objects(made) == untouched


def test_nothing_is_loaded_if_more_rows_would_fail_than_may(shop: Shop) -> None:
    made = fill(shop)
    untouched = profiles_and_objects(made)
    visits = [{"id": "1", "mail": "a@x.org"}, {"id": "7", "mail": "z@x.org"}, {"id": "8", "mail": "y@x.org"}]

    job = shop.run(shop.create_object_job("Visits", json_lines(visits), options=JobOptions(max_failed_records=1)))

    assert (job.status, job.failure_message) == ("FAILED", "2 rows failed (limit: 1). Nothing was loaded.")
    assert [row.faults[0].code for row in shop.failed_rows(job)] == ["NO_PROFILE_FOUND"] * 2
    assert profiles_and_objects(made) == untouched

    job = shop.run(shop.create_object_job("Visits", json_lines(visits), options=JobOptions(max_failed_records=2)))

    assert (job.status, job.updated_count, job.failed_count) == ("PARTIALLY_SUCCEEDED", 1, 2)


@pytest.mark.daily_on("sqlite")
def test_an_object_that_is_put_while_its_file_is_loaded_is_there_once(place: Place) -> None:
    shop = place.open_shop()
    made = fill(shop)
    contents = [{"id": f"n{number}", "mail": "", "first": "F"} for number in "123"]
    job = shop.create_object_job("Crm", json_lines(contents))

    event = place.loader.send(shop.claim(job, rows_per_chunk=1, pause_at=[0]))
    while made.find("crmId", "n1") == []:
        event = place.loader.go_on()
    made.put("Crm", {"id": "n1", "mail": "put@x.org", "first": "Put"})
    made.put("Crm", {"id": "n3", "mail": "put3@x.org", "first": "Put"})
    place.loader.go_on_to_the_end(event)

    # The second was put before its row had its turn.
    assert [(made.only("crmId", name).values, made.counts()) for name in ("n1", "n3")] == [
        ({"EmailAddress": "put@x.org", "FirstName": "Put"}, (5, 7)),
        ({"EmailAddress": "put3@x.org", "FirstName": "F"}, (5, 7)),
    ]
    assert shop.job(job).created_count == 2


@pytest.mark.daily_on("sqlite")
def test_a_type_that_is_changed_or_deleted_counts_as_it_is_when_its_rows_have_their_turn(place: Place) -> None:
    shop = place.open_shop()
    made = with_types(shop)
    job = shop.create_object_job("Crm", CUSTOMERS)
    event = place.loader.send(shop.claim(job, rows_per_chunk=1, pause_at=[0]))
    while made.find("crmId", "1") == []:
        event = place.loader.go_on()
    fields = {**CRM["Fields"], "first": {**CRM["Fields"]["first"], "Target": "_profile.LastName"}}
    made.define("Crm", {**CRM, "Fields": fields})
    place.loader.go_on_to_the_end(event)
    assert (made.only("crmId", "1").values["FirstName"], made.only("crmId", "2").values["LastName"]) == ("Ada", "Bob")

    job = shop.create_object_job("Crm", CUSTOMERS)
    made.at.write(shop.store, shop.domain, delete_object_type, "Crm")
    job = shop.run(job)

    assert (job.status, job.failure_message) == (
        "FAILED",
        f"Object type Crm does not exist in domain {shop.name}. The rows that were loaded by then are kept.",
    )


@pytest.mark.daily_on("sqlite")
def test_a_load_goes_on_if_its_type_gets_another_unique_key_while_no_loader_runs(place: Place) -> None:
    shop = place.open_shop()
    made = with_types(shop)
    job = shop.create_object_job("Crm", b"id,mail\n1,a@x.org\n2,b@x.org\n3,c@x.org\n")
    event = place.loader.send(shop.claim(job, rows_per_chunk=1, pause_at=[0]))
    while made.find("crmId", "1") == []:
        event = place.loader.go_on()
    assert event["event"] == "paused"
    place.loader.die()
    shop.release(job)
    fields = {**CRM["Fields"], "no": {"Source": "_source.no"}}
    keys = {"number": [{"StandardIdentifiers": ["UNIQUE"], "FieldNames": ["no"]}], "_email": CRM["Keys"]["_email"]}
    made.define("Crm", {**CRM, "Fields": fields, "Keys": keys})

    job = shop.run(job, rows_per_chunk=1)

    assert (job.status, job.created_count, job.failed_count) == ("PARTIALLY_SUCCEEDED", 1, 2)
    assert [row.faults[0].code for row in shop.failed_rows(job)] == ["MISSING_KEY"] * 2


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(
    ("data", "faults"),
    [
        (b"id,mail\nn/a,a@x.org\n4.91512E+11,b@x.org\n1,c@x.org\n", ["PLACEHOLDER_IN_KEY", "SHORTENED_IN_KEY"]),
        (b'{"id":"null","mail":"a@x.org"}\n{"id":1}\n', ["PLACEHOLDER_IN_KEY"]),
        (b'{"id":1}\n[1]\n{"id":\n"a\x00b"\n', ["NOT_AN_OBJECT", "NOT_AN_OBJECT", "NUL_BYTE"]),
        (b'{"id":"a\\u0000"}\n{"id":1}\n{"id":"\\ud800"}\n', ["NOT_TEXT", "NOT_TEXT"]),
        (b'{"id":1,"first":"' + b"x" * 256 + b'"}\n{"id":2}\n', ["FIELD_TOO_LONG"]),
        (b'{"id":"' + b"x" * 256 + b'"}\n{"id":2}\n', ["KEY_TOO_LONG"]),
        (b'{"id":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b'}\n{"id":2}\n', ["NOT_AN_OBJECT"]),
        (b'{"id":1,"x":"' + b"x" * 256_000 + b'"}\n{"id":2}\n', ["NOT_AN_OBJECT"]),
        (b'{"id":"\xff"}\n{"id":2}\n', ["INVALID_UTF8"]),
        (b"id,mail,first\n1,a@x.org\n2\n3,c@x.org,Cy\nid,mail,first\n", ["BROKEN_ROW", "REPEATED_HEADER"]),
    ],
    ids=["csv", "json", "no objects", "no text", "field", "key", "deep", "large", "bytes", "csv rows"],
)
def test_a_row_that_cannot_be_an_object_fails_with_its_reason(shop: Shop, data: bytes, faults: list[str]) -> None:
    with_types(shop)

    job = shop.run(shop.create_object_job("Crm", data, options=JobOptions()))

    assert [row.faults[0].code for row in shop.failed_rows(job)] == faults
    assert job.created_count == (job.record_count or 0) - len(faults) > 0


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'[{"id":1},{"id":2}]', "The file is one JSON list."),
        (b"\n \n", "The file is empty"),
        (b"id,id\n1,2\n", "The file has 2 columns named 'id'"),
        (b"id,mail\n", "The file has a header but no rows."),
        (
            b"id," + b",".join(b"c%d" % number for number in range(500)) + b"\n1" + b"," * 500 + b"\n",
            "The file has 501 columns; a file of objects can have at most 500.",
        ),
        (b"ID,mail\n1,a@x.org\n", "The file has no column 'id', which the unique key of the object type Crm needs."),
    ],
    ids=["list", "empty", "two columns", "no rows", "many columns", "no key"],
)
def test_a_file_that_has_no_objects_is_refused_as_a_whole(shop: Shop, data: bytes, message: str) -> None:
    with_types(shop)

    job = shop.run(shop.create_object_job("Crm", data))

    assert (job.status, (job.failure_message or "").startswith(message)) == ("FAILED", True), job.failure_message


@pytest.mark.daily_on("sqlite")
def test_columns_that_the_type_does_not_read_are_named(shop: Shop) -> None:
    made = ObjectShop(shop.store, shop.domain)
    city = {"Source": "{{#removeExtraSpace}}{{_source.town}}{{/removeExtraSpace}}", "Target": "_profile.Address.City"}
    made.define("Crm", {**CRM, "Fields": {**CRM["Fields"], "city": city}})

    job = shop.run(shop.create_object_job("Crm", b"id,First,town,mail\n1,Ada,Bern,a@x.org\n"))

    assert by_hand.read(shop.store, shop.domain, read_report, job.job_id).notice_sentences() == [
        "The object type has no field for the column 'First'. It is kept in the objects, but fills nothing in profiles."
    ]


@pytest.mark.daily_on("sqlite")
def test_a_compressed_file_and_a_file_of_failed_rows_are_read(shop: Shop) -> None:
    made = with_types(shop)
    assert shop.run(shop.create_object_job("Crm", gzip.compress(CUSTOMERS))).created_count == 2
    job = shop.run(shop.create_object_job("Crm", b'{"id":"","mail":"c@x.org"}\n{"id":"4","mail":"d@x.org"}\n'))
    headers, rows, dialect = jobs.read_failed_rows(shop.reading, shop.place.master_key, job.job_id)
    for_spreadsheet = b"".join(failed_rows_csv(headers, rows, dialect, for_spreadsheet=True))

    job = shop.run(shop.create_object_job("Crm", for_spreadsheet.replace(b'""id"":""""', b'""id"":""3""')))

    assert (job.status, job.created_count) == ("SUCCEEDED", 1)
    assert by_hand.read(shop.store, shop.domain, read_report, job.job_id).notices == []
    assert made.objects(made.only("_email", "c@x.org"), "Crm") == [{"id": "3", "mail": "c@x.org"}]


@pytest.mark.daily_on("sqlite")
def test_a_template_is_defined_by_the_first_file_of_its_objects(shop: Shop) -> None:
    made = ObjectShop(shop.store, shop.domain)
    contact = {"contactId": "c1", "customerEndpoint": {"type": "TELEPHONE_NUMBER", "address": "+12025550123"}}
    job = shop.create_object_job("CTR", json.dumps(contact).encode(), start=False)
    assert shop.preview(job).created_count == 1
    by_hand.At(NOW).write(shop.store, shop.domain, jobs.start_job, job.job_id)

    assert shop.run(job).created_count == 1
    assert len(made.find("_phone", "+12025550123")) == 1


@pytest.mark.daily_on("sqlite")
@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (JobRequest(display_name="n", object_type="Nothing"), NotFound, "Object type Nothing does not exist"),
        (JobRequest(display_name="n", object_type="order"), NotFound, "Did you mean 'Orders'?"),
        (JobRequest(display_name="n", object_type="_order"), InvalidRequest, "_order is a standard object"),
        (JobRequest(display_name="n", object_type="Crm", unique_key="id"), InvalidRequest, "Give either ObjectType"),
        (JobRequest(display_name="n", object_type="Crm", data_expiry_days=3), InvalidRequest, "An object type says"),
        (
            JobRequest(display_name="n", object_type="Crm", options=JobOptions(write_mode=CREATE_ONLY)),
            InvalidRequest,
            "The write mode cannot be set",
        ),
    ],
    ids=["no type", "nearly a type", "standard", "mapping", "expiry", "option"],
)
def test_a_job_of_objects_that_cannot_be_is_refused(
    shop: Shop, request_: JobRequest, error: type[Exception], message: str
) -> None:
    with_types(shop)

    with pytest.raises(error, match=message):
        by_hand.create_job(shop.store, shop.domain, shop.place.master_key, request_, NOW)


@pytest.mark.daily_on("sqlite")
def test_options_that_an_object_type_decides_cannot_be_set_later_either(shop: Shop) -> None:
    with_types(shop)
    job = shop.create_object_job("Crm", CUSTOMERS, start=False)

    for options in (JobOptions(write_mode=CREATE_ONLY), JobOptions(doubtful_rows=REFUSE)):
        with pytest.raises(InvalidRequest, match="cannot be set with ObjectType"):
            by_hand.At(NOW).write(shop.store, shop.domain, jobs.set_options, job.job_id, options)


@pytest.mark.daily_on("sqlite")
def test_a_request_that_is_sent_again_gives_its_job_after_the_type_was_deleted(shop: Shop) -> None:
    made = with_types(shop)
    request = JobRequest(display_name="n", object_type="Crm", idempotency_token="again")
    first = by_hand.create_job(shop.store, shop.domain, shop.place.master_key, request, NOW)
    made.at.write(shop.store, shop.domain, delete_object_type, "Crm")

    again = by_hand.create_job(shop.store, shop.domain, shop.place.master_key, request, NOW)

    assert again.job_id == first.job_id
