"""Load a CSV file into customer profiles with the AWS SDK alone.

Starts an openprofiles server on an empty store in a temporary folder, loads examples/customers.csv through the API of
Amazon Connect Customer Profiles, shows the result of every row, and stops the server. Run it with `make demo`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

CUSTOMERS = Path(__file__).with_name("customers.csv")
DOMAIN = "demo"
REGION = "us-east-1"
TIMEOUT_SECONDS = 50.0
TWICE_IN_THE_FILE = "customer2888@example.com"

# The mapping from columns of the file to fields of a profile. Columns without a mapping are not loaded.
FIELDS = {
    "customer_id": {"Source": "_source.Customer ID", "Target": "_profile.AccountNumber"},
    "first_name": {"Source": "_source.First Name", "Target": "_profile.FirstName", "ContentType": "NAME"},
    "last_name": {"Source": "_source.Last Name", "Target": "_profile.LastName", "ContentType": "NAME"},
    "email": {"Source": "_source.Email", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
    "phone": {"Source": "_source.Phone", "Target": "_profile.PhoneNumber", "ContentType": "PHONE_NUMBER"},
    "birthday": {"Source": "_source.Birthday", "Target": "_profile.BirthDate"},
    "company": {"Source": "_source.Company", "Target": "_profile.BusinessName"},
    "street": {"Source": "_source.Street", "Target": "_profile.Address.Address1"},
    "city": {"Source": "_source.City", "Target": "_profile.Address.City"},
    "zip": {"Source": "_source.Zip", "Target": "_profile.Address.PostalCode"},
    "tier": {"Source": "_source.Loyalty tier", "Target": "_profile.Attributes.tier"},
    "notes": {"Source": "_source.Notes", "Target": "_profile.Attributes.notes"},
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder) / "data") as (url, session):
        # An AWS program needs only the address of the server.
        profiles: Any = session.client("customer-profiles", endpoint_url=url)

        print(f"\n1. Create the domain {DOMAIN!r} and an upload job in it")
        profiles.create_domain(DomainName=DOMAIN, DefaultExpirationDays=1098)
        job_id = profiles.create_upload_job(
            DomainName=DOMAIN, DisplayName=CUSTOMERS.name, Fields=FIELDS, UniqueKey="email", DataExpiry=1098
        )["JobId"]

        print(f"2. Send {CUSTOMERS.name} to the job's upload URL")
        upload = profiles.get_upload_job_path(DomainName=DOMAIN, JobId=job_id)
        send_file(upload["Url"], upload["ClientToken"])

        print("3. Start the job and watch it")
        profiles.start_upload_job(DomainName=DOMAIN, JobId=job_id)
        job = wait_for_end(profiles, job_id)

        print("\nThe final GetUploadJob response:")
        shown = {name: value for name, value in job.items() if name != "ResponseMetadata"}
        print(json.dumps(shown, indent=2, default=str))

        print("\nThe failed rows:")
        failed_rows = list_failed_rows(url, session, job_id)
        for row in failed_rows:
            for fault in row["Faults"]:
                print(f"  line {row['Line']:>4}  {fault['Code']:<18} {fault['Message']}")

        print("\nOne customer, found by email. Two rows of the file, spelled differently, became this one profile:")
        found = profiles.search_profiles(DomainName=DOMAIN, KeyName="_email", Values=[TWICE_IN_THE_FILE])["Items"]
        print(json.dumps(found, indent=2, ensure_ascii=False))

        check(job["Status"] == "PARTIALLY_SUCCEEDED", "some rows of the file are broken, the others are loaded")
        check(job["ResultsSummary"]["UpdatedRecords"] > 0, "some customers are in the file twice")
        check(len(failed_rows) == job["ResultsSummary"]["FailedRecords"], "every failed row is reported")
        check([each["LastName"] for each in found] == ["Okafor"], "one profile has this email address")
    print("\nThe demo is complete and its server has stopped. Next, try: openprofiles import --help")


@contextmanager
def running_server(data_folder: Path) -> Iterator[tuple[str, boto3.Session]]:
    """Run a server on a free port; yield its address and a session with the administrator's keys."""
    # Remove settings for AWS and for a proxy, which do not apply to this server.
    for name in [name for name in os.environ if name.startswith(("AWS_", "OPENPROFILES_"))]:
        del os.environ[name]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    log_path = data_folder.with_name("server.log")
    with log_path.open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "openprofiles", "serve", "--data", str(data_folder), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert server.stdout is not None
    try:
        line = server.stdout.readline().strip()
        check(line.startswith("openprofiles listens on "), f"the server starts; its log:\n{log_path.read_text()}")
        print(line)
        admin = json.loads((data_folder / "admin-credential.json").read_text())
        session = boto3.Session(
            aws_access_key_id=admin["access_key_id"],
            aws_secret_access_key=admin["secret_access_key"],
            region_name=REGION,
        )
        yield line.split()[-1], session
    finally:
        server.terminate()
        server.wait(TIMEOUT_SECONDS)
        server.stdout.close()
    check(server.returncode == 0, "the server stops in order")


def send_file(url: str, client_token: str) -> None:
    """Send the file with the three headers of S3 for a customer's own key."""
    md5_of_key = hashlib.md5(base64.b64decode(client_token)).digest()
    with CUSTOMERS.open("rb") as file:
        answer = requests.put(
            url,
            data=file,
            headers={
                "x-amz-server-side-encryption-customer-algorithm": "AES256",
                "x-amz-server-side-encryption-customer-key": client_token,
                "x-amz-server-side-encryption-customer-key-MD5": base64.b64encode(md5_of_key).decode(),
            },
            timeout=TIMEOUT_SECONDS,
        )
    check(answer.ok, f"the server takes the file; it answered {answer.text}")


def wait_for_end(profiles: Any, job_id: str) -> dict[str, Any]:
    """Wait until the job has ended; return its last state."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    shown = ""
    while True:
        job: dict[str, Any] = profiles.get_upload_job(DomainName=DOMAIN, JobId=job_id)
        counts = job["ResultsSummary"]
        line = (
            f"   {job['Status']:<20} {counts['CreatedRecords']:>5} created {counts['UpdatedRecords']:>4} updated "
            f"{counts['FailedRecords']:>3} failed"
        )
        if line != shown:
            print(line)
            shown = line
        if job["Status"] not in ("CREATED", "IN_PROGRESS"):
            return job
        check(time.monotonic() < deadline, f"the job ends within {TIMEOUT_SECONDS:.0f} seconds")
        time.sleep(0.1)


def list_failed_rows(url: str, session: boto3.Session, job_id: str) -> list[dict[str, Any]]:
    """List the failed rows with their errors.

    AWS has no operation for this. It is a path of openprofiles, signed like the API.
    """
    address = f"{url}/openprofiles/v1/domains/{DOMAIN}/upload-jobs/{job_id}/failed-rows"
    credentials = session.get_credentials()
    assert credentials is not None
    request = AWSRequest("GET", address)
    SigV4Auth(credentials, "profile", REGION).add_auth(request)
    answer = requests.get(address, headers=dict(request.headers.items()), timeout=TIMEOUT_SECONDS)
    check(answer.ok, f"the server lists the failed rows; it answered {answer.text}")
    items: list[dict[str, Any]] = answer.json()["Items"]
    return items


def check(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"The demo failed. This should be so: {what}")


if __name__ == "__main__":
    main()
