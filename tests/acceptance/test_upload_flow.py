"""The documented flow of an upload job, from the programs that people use, on a real server with its worker."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from acceptance import javascript
from acceptance.running import RunningServer, command, environment, run_command, running_server, wait_until

pytestmark = pytest.mark.usefixtures("quick_loaders")

FIELDS = {
    "Email": {"Source": "_source.Email", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
    "First": {"Source": "_source.First", "Target": "_profile.FirstName"},
    "Tier": {"Source": "_source.Tier", "Target": "_profile.Attributes.tier"},
}
CSV = b"Email,First,Tier\nada@example.com,Ada,gold\nbob@example.com,Bob,\nADA@example.com,,silver\n"
ENDED = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "STOPPED")
JOB_TIMEOUT_SECONDS = 60.0
AWS_FOLDER = Path(sys.executable).parent


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data_folder = tmp_path_factory.mktemp("flow") / "data"
    with running_server(data_folder, "--workers", "1", "--log-format", "json") as running:
        yield running


@pytest.fixture
def domain(server: RunningServer, request: pytest.FixtureRequest) -> str:
    """A domain of the test's own."""
    name = "d-" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    server.client().create_domain(DomainName=name, DefaultExpirationDays=30)
    return name


def create(server: RunningServer, domain: str, fields: dict[str, dict[str, str]] = FIELDS) -> str:
    job_id: str = server.client().create_upload_job(
        DomainName=domain, DisplayName="customers.csv", Fields=fields, UniqueKey="Email"
    )["JobId"]
    return job_id


def headers_for(client_token: str) -> dict[str, str]:
    md5 = base64.b64encode(hashlib.md5(base64.b64decode(client_token)).digest()).decode()
    return {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": client_token,
        "x-amz-server-side-encryption-customer-key-MD5": md5,
    }


def put(server: RunningServer, domain: str, job_id: str, data: Any) -> dict[str, Any]:
    """PUTs the file of a job; the answer of GetUploadJobPath."""
    path: dict[str, Any] = server.client().get_upload_job_path(DomainName=domain, JobId=job_id)
    with requests.Session() as session:
        session.trust_env = False
        answer = session.put(path["Url"], data=data, headers=headers_for(path["ClientToken"]), timeout=60)
    assert answer.status_code == 200, answer.text
    return path


def wait_for_end(server: RunningServer, domain: str, job_id: str) -> dict[str, Any]:
    client = server.client()
    shown: dict[str, Any] = {}

    def has_ended() -> bool:
        shown.update(client.get_upload_job(DomainName=domain, JobId=job_id))
        return shown["Status"] in ENDED

    wait_until(has_ended, "the job has ended", JOB_TIMEOUT_SECONDS)
    return shown


def load(server: RunningServer, domain: str, data: bytes) -> dict[str, Any]:
    """Runs a job on a file to its end; the last answer of GetUploadJob."""
    job_id = create(server, domain)
    put(server, domain, job_id, data)
    server.client().start_upload_job(DomainName=domain, JobId=job_id)
    return wait_for_end(server, domain, job_id)


def get_own(
    server: RunningServer, domain: str, job_id: str, what: str, *, keys: tuple[str, str] | None = None, **query: str
) -> Any:
    """A signed GET of failed-rows or progress; names in the query have _ for -."""
    url = f"{server.url}/openprofiles/v1/domains/{domain}/upload-jobs/{job_id}/{what}"
    if query:
        url += "?" + urlencode({name.replace("_", "-"): value for name, value in query.items()})
    signed = AWSRequest("GET", url)
    SigV4Auth(Credentials(*(keys or server.admin())), "profile", "us-east-1").add_auth(signed)
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, headers=dict(signed.headers.items()), timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def find_by_email(server: RunningServer, domain: str, email: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = server.client().search_profiles(DomainName=domain, KeyName="_email", Values=[email])[
        "Items"
    ]
    return items


# The documented flow


def test_boto3_loads_a_file_and_finds_its_profiles(server: RunningServer, domain: str) -> None:
    client = server.client()

    job_id = client.create_upload_job(
        DomainName=domain, DisplayName="customers.csv", Fields=FIELDS, UniqueKey="Email", DataExpiry=30
    )["JobId"]
    put(server, domain, job_id, CSV)
    client.start_upload_job(DomainName=domain, JobId=job_id)
    shown = wait_for_end(server, domain, job_id)

    assert shown["Status"] == "SUCCEEDED"
    assert "StatusReason" not in shown
    assert shown["CompletedAt"] > shown["CreatedAt"]
    assert shown["ResultsSummary"] == {"CreatedRecords": 2, "UpdatedRecords": 1, "FailedRecords": 0}
    (ada,) = find_by_email(server, domain, "Ada@Example.com")
    # The later row wins, its blank cell does not.
    assert (ada["FirstName"], ada["Attributes"], ada["EmailAddress"]) == ("Ada", {"tier": "silver"}, "ADA@example.com")
    assert client.get_domain(DomainName=domain)["Stats"]["ProfileCount"] == 2


SHELL_FLOW = """
set -eu
eval "$($OPENPROFILES env --data "$DATA")"
aws customer-profiles create-domain --domain-name "$DOMAIN" --default-expiration-days 30 > /dev/null
job=$(aws customer-profiles create-upload-job --domain-name "$DOMAIN" --display-name customers.csv \
  --fields '{"Email": {"Source": "_source.Email", "Target": "_profile.EmailAddress"},
             "First": {"Source": "_source.First", "Target": "_profile.FirstName"}}' \
  --unique-key Email --query JobId --output text)
path=$(aws customer-profiles get-upload-job-path --domain-name "$DOMAIN" --job-id "$job" \
  --query '[Url, ClientToken]' --output text)
"$PYTHON" - $path "$CSV" <<'END'
import base64, hashlib, sys
import requests
url, key, csv = sys.argv[1:]
prefix = "x-amz-server-side-encryption-customer-"
md5 = base64.b64encode(hashlib.md5(base64.b64decode(key)).digest()).decode()
with open(csv, "rb") as file:
    answer = requests.put(
        url, data=file, headers={prefix + "algorithm": "AES256", prefix + "key": key, prefix + "key-MD5": md5}
    )
answer.raise_for_status()
END
aws customer-profiles start-upload-job --domain-name "$DOMAIN" --job-id "$job"
status() {
  aws customer-profiles get-upload-job --domain-name "$DOMAIN" --job-id "$job" --query Status --output text
}
while [ "$(status)" = IN_PROGRESS ]; do sleep 0.2; done
aws customer-profiles get-upload-job --domain-name "$DOMAIN" --job-id "$job"
aws customer-profiles list-upload-jobs --domain-name "$DOMAIN" --query 'Items[].JobId'
aws customer-profiles search-profiles --domain-name "$DOMAIN" --key-name _email --values ada@example.com \
  --query 'Items[].FirstName'
"""


def shell_environment(server: RunningServer, domain: str, csv: Path, **more: str) -> dict[str, str]:
    """What a person's shell holds: a program called aws on the path, and settings that lead elsewhere."""
    inherited = environment()
    return inherited | {
        "PATH": f"{AWS_FOLDER}:{inherited['PATH']}",
        "OPENPROFILES": " ".join(command()),
        "PYTHON": sys.executable,
        "DATA": str(server.data_folder),
        "DOMAIN": domain,
        "CSV": str(csv),
        "AWS_PROFILE": "nobody",
        "AWS_SESSION_TOKEN": "stale",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_OUTPUT": "json",
        "AWS_PAGER": "",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        **more,
    }


@pytest.mark.long(daily="tests/acceptance/test_cli_base.py::test_env_is_all_that_the_aws_cli_needs")
def test_the_aws_cli_loads_a_file_after_eval_of_env(server: RunningServer, tmp_path: Path) -> None:
    csv = tmp_path / "customers.csv"
    csv.write_bytes(CSV)

    answer = subprocess.run(
        ["/bin/sh", "-c", SHELL_FLOW],
        env=shell_environment(server, "from-the-shell", csv, AWS_CONFIG_FILE="/dev/null"),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert answer.returncode == 0, answer.stderr
    shown, listed, names = read_documents(answer.stdout)
    assert shown["Status"] == "SUCCEEDED"
    assert shown["ResultsSummary"] == {"CreatedRecords": 2, "UpdatedRecords": 1, "FailedRecords": 0}
    assert listed == [shown["JobId"]]
    assert names == ["Ada"]


def read_documents(text: str) -> list[Any]:
    """JSON documents that stand one after the other."""
    documents = []
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        documents.append(document)
        text = text[end:]
    return documents


def test_the_javascript_sdk_loads_a_file(server: RunningServer, domain: str, tmp_path: Path) -> None:
    javascript.require_sdk()
    csv = tmp_path / "customers.csv"
    csv.write_bytes(CSV)

    script = 'eval "$($OPENPROFILES env --data "$DATA")" && exec node upload_flow.mjs "$DOMAIN" "$CSV" ada@example.com'
    answer = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=javascript.FOLDER,
        env=shell_environment(server, domain, csv),
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout)
    assert 0 < said.pop("took") < 60_000
    assert said == {
        "status": "SUCCEEDED",
        "results": {"CreatedRecords": 2, "UpdatedRecords": 1, "FailedRecords": 0},
        "names": ["Ada"],
        "again": "BadRequestException 400",
        "isListed": True,
    }


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_puts_a_file_and_reads_why_one_is_refused(server: RunningServer, domain: str, tmp_path: Path) -> None:
    # Large enough for curl to ask before it sends.
    csv = tmp_path / "customers.csv"
    csv.write_bytes(CSV + b"".join(b"%d@example.com,N,\n" % number for number in range(100_000)))
    job_id = create(server, domain)
    path = server.client().get_upload_job_path(DomainName=domain, JobId=job_id)
    good = headers_for(path["ClientToken"])
    wrong = good | {"x-amz-server-side-encryption-customer-key-MD5": "wrong"}

    def run_curl(headers: dict[str, str]) -> subprocess.CompletedProcess[str]:
        arguments = ["curl", "--silent", "--show-error", "--verbose", "--noproxy", "*", "--max-time", "60"]
        arguments += [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
        return subprocess.run(
            [*arguments, "--header", "Expect: 100-continue", "--upload-file", str(csv), path["Url"]],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=90,
        )

    refused, taken = run_curl(wrong), run_curl(good)

    assert refused.returncode == 0, refused.stderr
    assert "<Code>InvalidArgument</Code>" in refused.stdout
    assert "100 Continue" not in refused.stderr
    assert "HTTP/1.1 100 Continue" in taken.stderr
    assert "HTTP/1.1 200 OK" in taken.stderr
    server.client().start_upload_job(DomainName=domain, JobId=job_id)
    assert wait_for_end(server, domain, job_id)["ResultsSummary"]["CreatedRecords"] == 100_002


# What becomes of the file


UNREADABLE = {
    "empty": (b"", "The file is empty."),
    "blank lines only": (b"\r\n\n\r\n", "The file is empty."),
    "no rows": (b"Email,First,Tier\n\n", "The file has a header but no rows."),
    "missing header": (b"Email,First\na@b.c,A\n", "The file has no column 'Tier', the source of the field Tier."),
    "header in another case": (b"email,First,Tier\na@b.c,A,\n", "The file has no column 'Email'"),
    "repeated header": (b"Email,First,Tier,First\na@b.c,A,,\n", "The file has 2 columns named 'First'"),
    "header that is no text": (
        b"Email,First,Tier," + b"\x81\x9f\xff\na@b.c,Zo\xc3\xab Bront\xc3\xab \xc3\xa9,,\n",
        "The header on line 1 contains characters that are not valid in the file's encoding.",
    ),
    "malformed header": (
        b'Email,First,"Tier"x\na@b.c,A,\n',
        "The header on line 1 has a double quote where none is allowed.",
    ),
    "quote never closed": (
        b'Email,First,Tier\r\na@b.c,"A\r\nA",\r\nd@b.c,"open,x\r\ne@b.c,E,\r\n',
        "The double quote that opens a value on line 4 is never closed",
    ),
    "quote never closed in the header": (
        b'Email,"First,Tier\na@b.c,A,\n',
        "The double quote that opens a value on line 1",
    ),
    "every row failed": (b"Email,First,Tier\n,A,\n  ,B,\n", "All 2 rows failed."),
}


# What tests/load promises daily of these. Here it is about how one learns of it, for which the others are enough.
_HELD_BY = {
    "blank lines only": "test_a_file_of_blank_lines_has_no_header_and_is_refused",
    "no rows": "test_a_file_with_a_header_alone_is_refused",
    "missing header": "test_a_file_without_a_mapped_column_is_refused_and_the_column_named",
    "header in another case": "test_headers_match_exactly_upper_and_lower_case_and_blanks_too",
    "header that is no text": "test_a_header_that_is_not_utf8_is_refused",
    "malformed header": "test_a_header_with_a_misplaced_quote_is_refused",
    "quote never closed in the header": "test_an_unclosed_quote_in_the_header_names_its_line",
}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(
            *given,
            id=name,
            marks=[pytest.mark.long(daily=f"tests/load/test_files.py::{_HELD_BY[name]}")] if name in _HELD_BY else [],
        )
        for name, given in UNREADABLE.items()
    ],
)
def test_a_file_that_cannot_be_loaded_fails_the_job_and_says_why(
    server: RunningServer, domain: str, data: bytes, message: str
) -> None:
    shown = load(server, domain, data)

    progress = get_own(server, domain, shown["JobId"], "progress")
    assert (shown["Status"], shown["StatusReason"]) == ("FAILED", "VALIDATION_FAILURE")
    assert (progress["Status"], progress["StatusReason"]) == ("FAILED", "VALIDATION_FAILURE")
    assert progress["Message"].startswith(message)
    assert "b.c" not in progress["Message"]
    assert "CompletedAt" in shown
    assert shown["ResultsSummary"]["CreatedRecords"] == shown["ResultsSummary"]["UpdatedRecords"] == 0
    assert server.client().get_domain(DomainName=domain)["Stats"]["ProfileCount"] == 0
    uploads_folder = server.data_folder / "uploads"
    wait_until(lambda: not list(uploads_folder.glob(f"{shown['JobId']}*")), "the file is gone")


MIXED_FILE = b"\n".join(
    [
        b"\xef\xbb\xbf",
        b"Email,First,Tier,Ignored\r",
        b"ada@example.com,Ada,gold,x\r",  # line 3
        b'bob@example.com,"Bob\r\nthe ""second""",,',  # lines 4 and 5
        b"",
        b"ADA@example.com,",  # line 7: too few cells
        b",Nobody,,",  # line 8
        b"long@example.com," + b"x" * 256 + b",,",  # line 9
        b"five@example.com,Five,,,surplus",  # line 10
        b"blank@example.com,Blank,,, ,",  # line 11: surplus cells, all blank
        b"nul@example.com,N\x00L,,",  # line 12
        b"latin@example.com,Ren\xe9,,",  # line 13
        b'quote@example.com,"a"b,,',  # line 14
        "zoë@example.com,Zoë,,".encode(),  # line 15
        b"ada@example.com,,platinum,",  # line 16
    ]
)


def test_every_record_is_counted_once_and_each_failed_one_is_reported_with_its_line(
    server: RunningServer, domain: str
) -> None:
    shown = load(server, domain, MIXED_FILE)
    made = run_command(
        "credentials", "create", "--data", server.data_folder, "--name", "reader", "--output", "json",
        "--action", "profile:Get*",
    )  # fmt: skip
    document = json.loads(made.stdout)
    keys = (document["access_key_id"], document["secret_access_key"])

    progress = get_own(server, domain, shown["JobId"], "progress", keys=keys)
    pages = [get_own(server, domain, shown["JobId"], "failed-rows", keys=keys, max_results="4")]
    pages += [
        get_own(
            server, domain, shown["JobId"], "failed-rows", keys=keys, max_results="4", next_token=pages[0]["NextToken"]
        )
    ]

    assert (shown["Status"], shown["StatusReason"]) == ("PARTIALLY_SUCCEEDED", "VALIDATION_FAILURE")
    assert shown["ResultsSummary"] == {"CreatedRecords": 4, "UpdatedRecords": 2, "FailedRecords": 6}
    assert (progress["RecordCount"], progress["ProcessedRecords"]) == (12, 12)
    assert progress["CreatedAt"] < progress["StartedAt"] < progress["CompletedAt"]
    rows = [item for page in pages for item in page["Items"]]
    assert [
        (row["Record"], row["Line"], fault.get("Column"), fault["Code"]) for row in rows for fault in row["Faults"]
    ] == [
        (4, 8, "Email", "MISSING_UNIQUE_KEY"),
        (5, 9, "First", "VALUE_TOO_LONG"),
        (6, 10, None, "TOO_MANY_CELLS"),
        (8, 12, None, "NUL_BYTE"),
        (9, 13, None, "INVALID_UTF8"),
        (10, 14, None, "MALFORMED_QUOTES"),
    ]
    messages = [fault["Message"] for row in rows for fault in row["Faults"]]
    assert "has 256 characters" in messages[1]
    assert not [message for message in messages if "example.com" in message]
    assert rows[0]["Cells"][0].strip() == ""
    (ada,) = find_by_email(server, domain, "ada@example.com")
    (bob,) = find_by_email(server, domain, "bob@example.com")
    assert (ada["FirstName"], ada["Attributes"]["tier"]) == ("Ada", "platinum")
    assert bob["FirstName"] == 'Bob\r\nthe "second"'
    reader = server.client(*keys)
    with pytest.raises(ClientError, match="AccessDenied"):
        reader.start_upload_job(DomainName=domain, JobId=shown["JobId"])


@pytest.mark.long(
    daily="tests/load/test_races.py::test_what_a_stopped_load_has_written_is_counted_and_found_and_nothing_follows"
)
def test_a_job_that_is_stopped_while_it_runs_keeps_what_it_wrote(server: RunningServer, domain: str) -> None:
    count = 200_000
    job_id = create(server, domain)
    put(server, domain, job_id, iter([b"Email,First,Tier\n", *(b"%d@example.com,N,\n" % n for n in range(count))]))
    client = server.client()
    client.start_upload_job(DomainName=domain, JobId=job_id)
    wait_until(lambda: get_own(server, domain, job_id, "progress")["CreatedRecords"] > 0, "the first rows are in", 60)

    client.stop_upload_job(DomainName=domain, JobId=job_id)
    shown = wait_for_end(server, domain, job_id)
    client.stop_upload_job(DomainName=domain, JobId=job_id)

    assert shown["Status"] == "STOPPED"
    assert "CompletedAt" in shown
    created = shown["ResultsSummary"]["CreatedRecords"]
    assert 0 < created < count
    assert client.get_domain(DomainName=domain)["Stats"]["ProfileCount"] == created
    assert len(find_by_email(server, domain, "0@example.com")) == 1


# The server itself


def peak_memory_bytes(server: RunningServer) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def test_a_large_file_passes_through_without_filling_the_memory(server: RunningServer, domain: str) -> None:
    job_id = create(server, domain)
    put(server, domain, job_id, iter([bytes(1_000_000)] * 10))
    before = peak_memory_bytes(server)

    put(server, domain, job_id, iter([bytes(1_000_000)] * 150))

    assert peak_memory_bytes(server) - before < 30_000_000
    (file,) = (server.data_folder / "uploads").glob(f"{job_id}*")
    assert file.stat().st_size > 150_000_000


def test_the_log_says_what_happened_without_key_signature_or_value(server: RunningServer, domain: str) -> None:
    job_id = create(server, domain)
    path = put(server, domain, job_id, CSV)
    wrong = requests.put(path["Url"].replace("signature=", "signature=0"), data=CSV, timeout=30)
    get_own(server, domain, job_id, "progress")

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in server.log().splitlines()]

    request_id = wrong.headers["x-amzn-requestid"]
    wait_until(lambda: any(line.get("request_id") == request_id for line in lines()), "the request is logged")
    (refused,) = [line for line in lines() if line.get("request_id") == request_id]
    assert refused["operation"] == "/openprofiles/v1/uploads/{job_id}"
    assert (refused["status"], refused["error_code"]) == (403, "SignatureDoesNotMatch")

    def asks() -> set[Any]:
        return {line["access_key_id"] for line in lines() if line.get("operation") == "openprofiles:GetProgress"}

    # Answers are logged by several threads, so this one may be logged later than the refusal.
    wait_until(lambda: server.admin()[0] in asks(), "the request with the administrator's key is logged")
    log = server.log()
    for secret in (
        path["ClientToken"],
        urlsplit(path["Url"]).query,
        "signature=",
        "ada@example.com",
        server.admin()[1],
    ):
        assert secret not in log


def test_an_upload_under_way_ends_before_the_server_does(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", "--workers", "0") as server:
        server.client().create_domain(DomainName="shop", DefaultExpirationDays=30)
        job_id = create(server, "shop")

        def send_and_stop() -> Iterator[bytes]:
            yield CSV
            server.process.terminate()
            time.sleep(0.3)
            yield b"eve@example.com,Eve,\n"

        put(server, "shop", job_id, send_and_stop())

        assert server.process.wait(30) == 0
