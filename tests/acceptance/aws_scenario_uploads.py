"""The part of the scenario about upload jobs: their states, the PUT of a file, and the results of files."""

from __future__ import annotations

import base64
import codecs
import gzip
import hashlib
import time
from typing import Any

import requests

from acceptance.answer_recorder import TIMEOUT_SECONDS, Recorder
from acceptance.aws_scenario_profiles import UNKNOWN_ID
from acceptance.running import wait_until

ALGORITHM, KEY, KEY_MD5 = (f"x-amz-server-side-encryption-customer-{part}" for part in ("algorithm", "key", "key-MD5"))

# Jobs wait for each other, and on a busy machine the loader comes last.
_JOB_TIMEOUT_SECONDS = 300.0

Fields = dict[str, dict[str, str]]
Members = dict[str, Any]


def mapped(**targets: str) -> Fields:
    """Map columns to fields of the same name: ``mapped(Email="EmailAddress")``."""
    return {name: {"Source": f"_source.{name}", "Target": f"_profile.{path}"} for name, path in targets.items()}


FIELDS = mapped(
    Email="EmailAddress",
    First="FirstName",
    Phone="PhoneNumber",
    City="Address.City",
    Type="ProfileType",
    Tier="Attributes.tier",
)
SHORT = mapped(Email="EmailAddress", First="FirstName")
CSV = b"Email,First\nada@example.com,Ada\nbob@example.com,Bob\n"


def create(r: Recorder, domain: str, *, fields: Fields = SHORT, unique_key: str = "Email", **more: Any) -> str:
    """Create a job without recording it."""
    members = {"DisplayName": "customers.csv", "Fields": fields, "UniqueKey": unique_key} | more
    job_id: str = r.quiet.create_upload_job(DomainName=domain, **members)["JobId"]
    return job_id


def headers_for(client_token: str) -> dict[str, str]:
    md5 = base64.b64encode(hashlib.md5(base64.b64decode(client_token)).digest()).decode()
    return {ALGORITHM: "AES256", KEY: client_token, KEY_MD5: md5}


def put(r: Recorder, domain: str, job_id: str, data: bytes) -> None:
    """Upload the file of a job without recording it."""
    path = r.quiet.get_upload_job_path(DomainName=domain, JobId=job_id)
    with requests.Session() as session:
        session.trust_env = False
        session.put(
            path["Url"], data=data, headers=headers_for(path["ClientToken"]), timeout=TIMEOUT_SECONDS
        ).raise_for_status()


def wait_for_end(r: Recorder, domain: str, job_id: str) -> None:
    def has_ended() -> bool:
        shown = r.quiet.get_upload_job(DomainName=domain, JobId=job_id)
        return shown["Status"] not in ("CREATED", "IN_PROGRESS")

    wait_until(has_ended, f"job {job_id} has ended", _JOB_TIMEOUT_SECONDS)


# Jobs that no worker takes up


def run_waiting_jobs(r: Recorder) -> Members:
    """Record jobs on a server without workers; return an upload path that will expire."""
    r.call("for jobs", "create_domain", DomainName="waiting", DefaultExpirationDays=30)
    here: Members = {"DomainName": "waiting"}
    r.call("none", "list_upload_jobs", **here)
    plain: Members = {"DisplayName": "customers.csv", "Fields": SHORT, "UniqueKey": "Email"}
    job: Members = {**here, "JobId": r.call("the first", "create_upload_job", **here, **plain)["JobId"]}
    other: Members = {
        **here,
        "JobId": r.call("kept for 1098 days", "create_upload_job", **here, **plain, DataExpiry=1098)["JobId"],
    }
    r.call("with no file", "get_upload_job", **job)
    r.call("with an expiry", "get_upload_job", **other)
    r.call("with no file", "start_upload_job", **job)

    expiring: Members = r.call("that is to expire", "get_upload_job_path", **other)
    path = r.call("the first", "get_upload_job_path", **job)
    again = r.call("the second", "get_upload_job_path", **job)
    url, good = again["Url"], headers_for(path["ClientToken"])
    zeros = base64.b64encode(bytes(32)).decode()
    for name in good:
        r.put(f"without {name}", url, CSV, {header: value for header, value in good.items() if header != name})
    r.put("without any header", url, CSV, {})
    r.put("another algorithm", url, CSV, good | {ALGORITHM: "aws:kms"})
    r.put("a short key", url, CSV, good | {KEY: base64.b64encode(bytes(31)).decode()})
    r.put("a key that is no base64", url, CSV, good | {KEY: "no base64"})
    r.put("another MD5", url, CSV, good | {KEY_MD5: base64.b64encode(bytes(16)).decode()})
    r.put("another key", url, CSV, headers_for(zeros))
    r.put("a damaged signature", url[:-1] + ("0" if url[-1] != "0" else "1"), CSV, good)
    r.put("a later expiry", url.replace("expires=", "expires=9"), CSV, good)
    r.put("no expiry", url.replace("expires=", "x="), CSV, good)
    r.put("no query", url.partition("?")[0], CSV, good)
    r.put("another job", url.replace(job["JobId"], other["JobId"]), CSV, good)
    r.put("an unknown job", url.replace(job["JobId"], UNKNOWN_ID), CSV, good)
    for method in ("GET", "POST", "DELETE"):
        r.put("another method", url, b"", good, method=method)
    r.put("good", url, CSV, good)
    r.put("by the first URL", path["Url"], CSV + b"eve@example.com,Eve\n", good)
    r.put("with a name of S3's own", url + "&x-id=PutObject", CSV, good)

    r.call("with a file", "start_upload_job", **job)
    r.call("started", "get_upload_job", **job)
    r.call("started", "start_upload_job", **job)
    r.call("started", "get_upload_job_path", **job)
    r.put("of a started job", url, CSV, good)
    r.call("started", "stop_upload_job", **job)
    r.call("stopped", "get_upload_job", **job)
    r.call("stopped", "stop_upload_job", **job)
    r.call("stopped", "start_upload_job", **job)
    r.call("stopped", "get_upload_job_path", **job)
    r.put("of a stopped job", url, CSV, good)

    created: Members = {**here, "JobId": create(r, "waiting")}
    r.call("created", "stop_upload_job", **created)
    r.call("stopped before the start", "get_upload_job", **created)
    with_file: Members = {**here, "JobId": create(r, "waiting")}
    put(r, "waiting", with_file["JobId"], CSV)
    r.call("created with a file", "stop_upload_job", **with_file)
    left: Members = {**here, "JobId": create(r, "waiting", DisplayName="left for the worker")}
    put(r, "waiting", left["JobId"], CSV)
    r.call("left for the worker", "start_upload_job", **left)

    r.call("all", "list_upload_jobs", **here)
    page = r.call("first page", "list_upload_jobs", **here, MaxResults=2)
    page = r.call("second page", "list_upload_jobs", **here, MaxResults=2, NextToken=page["NextToken"])
    r.call("third page", "list_upload_jobs", **here, MaxResults=2, NextToken=page["NextToken"])
    r.call("of another list", "list_domains", NextToken=page["NextToken"])
    r.call("bad token", "list_upload_jobs", **here, NextToken="xyz")
    r.call("unknown domain", "list_upload_jobs", DomainName="nowhere")
    r.call("unknown domain", "create_upload_job", DomainName="nowhere", **plain)
    for operation in ("get_upload_job", "get_upload_job_path", "start_upload_job", "stop_upload_job"):
        r.call("unknown domain", operation, DomainName="nowhere", JobId=job["JobId"])
        r.call("of another domain", operation, DomainName="shop", JobId=job["JobId"])
        r.call("unknown job", operation, **here, JobId=UNKNOWN_ID)
        r.call("bad id", operation, **here, JobId="x" * 32)
    return expiring


def run_expired_url(r: Recorder, expiring: Members) -> None:
    valid_until = expiring["ValidUntil"].timestamp()
    wait_until(lambda: time.time() > valid_until, "the URL has expired")
    r.put("after the URL's end", expiring["Url"], CSV, headers_for(expiring["ClientToken"]))


# (what is special, fields, unique key)
_MAPPINGS: list[tuple[str, Fields, str]] = [
    ("no fields", {}, "Email"),
    ("500 fields", mapped(Email="EmailAddress", **{f"c{n}": f"Attributes.a{n}" for n in range(499)}), "Email"),
    ("501 fields", mapped(**{f"c{n}": f"Attributes.a{n}" for n in range(501)}), "c0"),
    ("a field without anything", SHORT | {"X": {}}, "Email"),
    ("a field without a target", SHORT | {"X": {"Source": "_source.X"}}, "Email"),
    ("a macro", SHORT | {"X": {"Source": "{{x}}", "Target": "_profile.LastName"}}, "Email"),
    ("a source without a column", SHORT | {"X": {"Source": "_source.", "Target": "_profile.LastName"}}, "Email"),
    ("a target of an object", SHORT | {"X": {"Source": "_source.X", "Target": "_order.Id"}}, "Email"),
    ("an unknown target", SHORT | mapped(X="Shoes"), "Email"),
    ("the id", SHORT | mapped(X="ProfileId"), "Email"),
    ("a whole address", SHORT | mapped(X="BillingAddress"), "Email"),
    ("attributes", SHORT | mapped(X="Attributes"), "Email"),
    ("a nameless attribute", SHORT | mapped(X="Attributes."), "Email"),
    ("preferences", SHORT | mapped(X="EngagementPreferences.Email"), "Email"),
    ("one target twice", SHORT | mapped(X="EmailAddress"), "Email"),
    ("twins", SHORT | mapped(X="Gender", Y="GenderString"), "Email"),
    ("an unknown unique key", SHORT, "Phone"),
    ("a target as the unique key", SHORT, "_profile.EmailAddress"),
    ("a column as the unique key", {"A": SHORT["Email"]}, "_source.Email"),
    ("a key that two fields share", SHORT | {"X": {"Source": "_source.c", "Target": "_profile.LastName"},
     "Y": {"Source": "_source.c", "Target": "_profile.MiddleName"}}, "c"),
    ("content types", {name: field | {"ContentType": "STRING"} for name, field in SHORT.items()}, "Email"),
]  # fmt: skip


def run_mappings(r: Recorder) -> None:
    for about, fields, unique_key in _MAPPINGS:
        r.call(about, "create_upload_job", DomainName="shop", DisplayName="d.csv", Fields=fields, UniqueKey=unique_key)


# Jobs that a worker loads


def start(
    r: Recorder, domain: str, data: bytes, *, fields: Fields = FIELDS, unique_key: str = "Email", **more: Any
) -> str:
    """Create, upload and start a job without recording it."""
    job_id = create(r, domain, fields=fields, unique_key=unique_key, **more)
    put(r, domain, job_id, data)
    r.quiet.start_upload_job(DomainName=domain, JobId=job_id)
    return job_id


def finish(r: Recorder, about: str, domain: str, job_id: str) -> None:
    """Record the end of a job."""
    wait_for_end(r, domain, job_id)
    r.call(f"ended, {about}", "get_upload_job", DomainName=domain, JobId=job_id)


def find(r: Recorder, about: str, domain: str, key: str, *values: str) -> None:
    """Record the profiles that a key finds."""
    r.call(about, "search_profiles", DomainName=domain, KeyName=key, Values=list(values))


def load(r: Recorder, about: str, data: bytes, *emails: str, fields: Fields = FIELDS) -> None:
    """Load a file into the domain loads; record its end and the profiles of its email addresses."""
    finish(r, about, "loads", start(r, "loads", data, fields=fields))
    find(r, f"after {about}", "loads", "_email", *emails)


_HEADER = b"Email,First,Phone,City,Type,Tier\n"
_FIRST_FILE = _HEADER + (
    b"Ada@Example.com,Ada,(206) 555-0100,London,PROFILE,gold\r\n"
    b'bob@example.com,"Bob, the ""second""\nof his name",,,,\n'
    b"\n"
    b"  cyd@example.com ,Cyd\n"
    b"ADA@example.com,Augusta,,,,platinum\n"
    b"dee@example.com,Dee,,,ACCOUNT_PROFILE,,,  \n"
    b"ada@example.com,,,Paris,,"
)
_UPDATES = _HEADER + (
    b"ada@example.com,Augusta,,London,,gold\n"
    b"bob@example.com,,,,,\n"
    b"cyd@example.com,Cyd,+12065550101,Rome,,silver\n"
    b"eve@example.com,Eve,,,,\n"
)
_FAILED_ROWS = _HEADER + b"".join(
    [
        "zoë@example.com,Zoë,,,,\n".encode(),
        b",Nobody,,,,\n",
        b"  ,,,,,\n",
        b"long@example.com," + b"x" * 256 + b",,,,\n",
        b"cells@example.com,Cells,,,,,surplus\n",
        b"nul@example.com,N\x00L,,,,\n",
        b"latin@example.com,Ren\xe9,,,,\n",
        b'quote@example.com,"a"b,,,,\n',
        b"type@example.com,T,,,PERSON,\n",
        b"twice@example.com," + b"y" * 256 + b",,,PERSON,\n",
        b"shared@example.com,Shared,,,,\n",
        b"big@example.com," + b"z" * 1_100_000 + b",,,,\n",
        b"no phone,Loaded,no phone,,,\n",
    ]
)

# (what is wrong, the file): none of them is loaded.
_REFUSED_FILES = [
    ("empty", b""),
    ("of blank lines", b"\r\n\n\r\n"),
    ("of a header", _HEADER),
    ("of a header without a line end", _HEADER.strip() + b"   "),
    ("with another header", b"Mail,Name\na@example.com,A\n"),
    ("with a header in another case", _HEADER.lower() + b"a@example.com,A,,,,\n"),
    ("with a column too few", b"Email,First\na@example.com,A\n"),
    ("with a column twice", b"Email,First,Phone,City,Type,Tier,First\na@example.com,A,,,,,\n"),
    ("with a malformed header", b'Email,First,Phone,City,Type,"Tier"x\na@example.com,A,,,,\n'),
    ("with a header that is no text", b"Email,First,Phone,City,Type,Tier,\x81\xff\na@example.com,A,,,,\n"),
    ("with an open quote", _HEADER + b'a@example.com,"A,,,,\nb@example.com,B,,,,\n'),
    ("with an open quote in the header", b'Email,First,Phone,City,Type,"Tier\na@example.com,A,,,,\n'),
    ("of failed rows alone", _HEADER + b",A,,,,\n,B,,,,\n"),
]

_ODD_NAMES = {
    "E": {"Source": "_source.E;mail", "Target": "_profile.EmailAddress"},
    "F": {"Source": "_source.First\nname", "Target": "_profile.FirstName"},
    "T": {"Source": "_source.'T\t|", "Target": "_profile.Attributes.tier"},
}


def run_loads(r: Recorder) -> None:
    """Load files that depend on each other into one domain, and the others into another one."""
    for name in ("loads", "others"):
        r.quiet.create_domain(DomainName=name, DefaultExpirationDays=30)
    others = start_other_loads(r)
    run_loads_in_turn(r)
    for about, job_id in others.items():
        finish(r, about, "others", job_id)
    find(r, "after a phone number as the key", "others", "_phone", "2065550102")
    find(r, "after an attribute as the key", "others", "_fullName", "Leo", "Len")
    find(r, "after twins", "others", "_account", "A-1", "A-2", "A-3")
    find(
        r, "after odd names of columns", "others", "_email", "'ned@example.com'", "ola;x@example.com", "pia@example.com"
    )
    r.call("after all other loads", "get_domain", DomainName="others")


def start_other_loads(r: Recorder) -> dict[str, str]:
    """Return the ids of their jobs by the peculiarity of each."""
    jobs = {f"a file {about}": start(r, "others", data) for about, data in _REFUSED_FILES}
    fields = mapped(Phone="PhoneNumber", First="FirstName")
    data = b"Phone,First\n206-555-0101,Cyd\n(206) 555 0102,Ida\n,Nobody\n+12065550102,\n"
    jobs["a phone number as the key"] = start(r, "others", data, fields=fields, unique_key="Phone")
    fields = mapped(No="Attributes.no", First="FirstName")
    data = b"No,First\n1,Lee\n1 ,Leo\n01,Len\n"
    for about in ("an attribute as the key", "an attribute as the key, again"):
        jobs[about] = start(r, "others", data, fields=fields, unique_key="No")
    fields = mapped(Id="AccountNumber", G="Gender", P="PartyType", Street="BillingAddress.Address1")
    data = b"Id,G,P,Street\nA-1,MALE,BUSINESS,1 Main St\na-1,other,ALIEN,\nA-2,,,\nA-3,FEMALE,,x\n"
    jobs["twins"] = start(r, "others", data, fields=fields, unique_key="Id")
    # Files that could be taken for others than they are.
    data = (
        b"E;mail,\"First\nname\",'T\t|,x;y;z\n'ned@example.com','Ned',\"a;b|c\td\",1;2;3\n"
        b'ola;x@example.com,"Ola;"\npia@example.com,Pia;a;b\n'
    )
    jobs["odd names of columns"] = start(r, "others", data, fields=_ODD_NAMES, unique_key="E")
    for name in (b"PAR1", b"BZhang"):
        data = name + b",Email,First\n1,quinn@example.com,Quinn\n"
        jobs[f"a file that begins with {name.decode()}"] = start(r, "others", data, fields=SHORT)
    return jobs


def run_loads_in_turn(r: Recorder) -> None:
    everybody = [f"{name}@example.com" for name in ("ada", "bob", "cyd", "dee", "eve")]
    load(r, "a good file", _FIRST_FILE, *everybody)
    load(r, "the same file again", _FIRST_FILE, *everybody)
    load(r, "updates", _UPDATES, *everybody)
    find(r, "after updates, by the phone", "loads", "_phone", "2065550101")

    for name in ("One", "Two"):
        r.quiet.create_profile(DomainName="loads", FirstName=name, EmailAddress="shared@example.com")
    load(r, "failed rows of all kinds", _FAILED_ROWS, "zoë@example.com", "no phone", "shared@example.com")

    # Values that a person has set, and keys that a person has added.
    (found,) = r.quiet.search_profiles(DomainName="loads", KeyName="_email", Values=["eve@example.com"])["Items"]
    eve: Members = {"DomainName": "loads", "ProfileId": found["ProfileId"]}
    r.quiet.update_profile(**eve, FirstName="Evelyn", Attributes={"tier": "by hand"})
    r.quiet.add_profile_key(**eve, KeyName="_email", Values=["evelyn@example.com"])
    data = _HEADER + b"evelyn@example.com,Eva,,Bern,,lead\neve@example.com,Eve,,,,lead\n"
    load(r, "values set by hand", data, "eve@example.com", "evelyn@example.com")

    # Records of which one takes a key that another has; and a byte order mark.
    data = codecs.BOM_UTF8 + (
        b"Email,First,Home\r\nfay@example.com,Fay,gus@example.com\r\ngus@example.com,Gus,\r\n"
        b"hal@example.com,Hal,gus@example.com\r\ngus@example.com,Nobody,\r\nfay@example.com,,fay@home.example\r\n"
    )
    fields = SHORT | mapped(Home="PersonalEmailAddress")
    load(r, "keys in two fields", data, *(f"{name}@example.com" for name in ("fay", "gus", "hal")), fields=fields)
    r.call("after all loads", "get_domain", DomainName="loads")


def end_waiting_jobs(r: Recorder) -> None:
    """Record the job that was started without a worker."""
    (left,) = [
        item
        for item in r.quiet.list_upload_jobs(DomainName="waiting")["Items"]
        if item["DisplayName"] == "left for the worker"
    ]
    wait_for_end(r, "waiting", left["JobId"])
    r.call("that a worker has found", "get_upload_job", DomainName="waiting", JobId=left["JobId"])


def run_ended_jobs(r: Recorder) -> None:
    """Record the operations on jobs that have ended."""
    job_id = create(r, "loads", fields=FIELDS, DisplayName="ended")
    path = r.quiet.get_upload_job_path(DomainName="loads", JobId=job_id)
    put(r, "loads", job_id, _HEADER)
    r.quiet.start_upload_job(DomainName="loads", JobId=job_id)
    wait_for_end(r, "loads", job_id)
    for operation in ("start_upload_job", "stop_upload_job", "get_upload_job_path"):
        r.call("ended", operation, DomainName="loads", JobId=job_id)
    r.put("of an ended job", path["Url"], CSV, headers_for(path["ClientToken"]))
    page = r.call("of ended jobs", "list_upload_jobs", DomainName="loads", MaxResults=4)
    r.call("of ended jobs, next", "list_upload_jobs", DomainName="loads", MaxResults=2, NextToken=page["NextToken"])


def run_strict_loads(r: Recorder) -> None:
    """Record the limits of a strict server, and the files that only it refuses."""
    r.call("strict", "create_domain", DomainName="strict", DefaultExpirationDays=30)
    fields = mapped(Email="EmailAddress", **{f"c{n}": f"Attributes.a{n}" for n in range(25)})
    plain: Members = {"DomainName": "strict", "DisplayName": "d.csv", "UniqueKey": "Email"}
    r.call("26 fields", "create_upload_job", **plain, Fields=fields)
    del fields["c24"]
    r.call("25 fields", "create_upload_job", **plain, Fields=fields)
    r.call("91 days", "create_upload_job", **plain, Fields=SHORT, DataExpiry=91)
    r.call("90 days", "create_upload_job", **plain, Fields=SHORT, DataExpiry=90)
    dotted = SHORT | {"X": {"Source": "_source.a.b", "Target": "_profile.LastName"}}
    text = CSV.decode() + "zoe@example.com,Zoé\n"
    good = b"Email,First,a.b\nada@example.com,Ada,x\n"
    jobs = {"a good file": start(r, "strict", good, fields=SHORT)}
    jobs["a mapped header with a dot"] = start(r, "strict", good, fields=dotted)
    for about, data in (
        ("a byte order mark", codecs.BOM_UTF8 + CSV),
        ("semicolons", CSV.replace(b",", b";")),
        ("tabs", CSV.replace(b",", b"\t")),
        ("Windows-1252", text.encode("cp1252")),
        ("UTF-16", text.encode("utf-16")),
        ("carriage returns", CSV.replace(b"\n", b"\r")),
        ("gzip", gzip.compress(CSV, mtime=0)),
        ("ZIP", b"PK\x03\x04" + CSV),
    ):
        jobs[about] = start(r, "strict", data, fields=SHORT)
    for about, job_id in jobs.items():
        finish(r, f"strict, {about}", "strict", job_id)
    find(r, "after strict loads", "strict", "_email", "ada@example.com", "zoe@example.com")
