"""Upload jobs over HTTP: operations, the PUT of the file, failed rows and progress. No worker runs here."""

from __future__ import annotations

import base64
import csv
import errno
import hashlib
import io
import json
import os
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from sqlalchemy import insert, update
from sqlalchemy.exc import OperationalError

from openprofiles.clock import utc_now
from openprofiles.credentials.administer import create_credential
from openprofiles.credentials.authenticate import Authenticator
from openprofiles.master_key import load_master_key
from openprofiles.pages import write_token
from openprofiles.server import upload_route
from openprofiles.server.app import build_app
from openprofiles.server.metrics import Metrics
from openprofiles.server.services import Services
from openprofiles.settings import Settings
from openprofiles.store import job_queue, upload_jobs
from openprofiles.store.open import open_store
from openprofiles.store.tables import failed_row, upload_job
from openprofiles.store.upload_job_states import UploadJobStatus
from openprofiles.store.upload_jobs import UploadJob
from openprofiles.uploads.arrival import receive
from openprofiles.uploads.arrival.encrypted_file import DecryptingReader
from openprofiles.uploads.arrival.files import open_own_files
from openprofiles.uploads.failures.failed_row_cipher import FailedRowCipher, decrypt_failed_rows_key
from openprofiles.uploads.failures.own_columns import SPREADSHEET_COLUMNS
from openprofiles.uploads.jobs import client_token
from wire.served import serve

MAX_UPLOAD_SIZE_BYTES = 3_000_000
LIFETIME_SECONDS = 60
CSV = b"E-mail,Tier\nada@example.com,gold\n"
FIELDS = {
    "Email": {"Source": "_source.E-mail", "Target": "_profile.EmailAddress", "ContentType": "EMAIL_ADDRESS"},
    "Tier": {"Source": "_source.Tier", "Target": "_profile.Attributes.tier"},
}
ALGORITHM, KEY, KEY_MD5 = (f"x-amz-server-side-encryption-customer-{part}" for part in ("algorithm", "key", "key-MD5"))
UNKNOWN_JOB = "0" * 32


@dataclass
class Clock:
    """The server's clock, which tests move. Signatures of requests are checked by the real one."""

    offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        return utc_now() + self.offset


@dataclass
class Upload:
    """A job, and what GetUploadJobPath said of it."""

    job_id: str
    url: str
    valid_until: datetime
    headers: dict[str, str]

    @property
    def key(self) -> bytes:
        return base64.b64decode(self.headers[KEY])

    def put(self, data: Any = CSV, *, url: str | None = None, without: str = "", **headers: str) -> requests.Response:
        """PUTs as the documentation says, except for what is given; names of headers have _ for -."""
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in (self.headers | changed).items() if name != without}
        with requests.Session() as session:
            session.trust_env = False
            return session.put(url or self.url, data=data, headers=sent, timeout=20)


@dataclass
class Service:
    """The server's application on a socket, and what lies behind it."""

    address: str
    services: Services
    clock: Clock
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.connect("*")

    def connect(self, *actions: str, domains: tuple[str, ...] = ("*",)) -> Any:
        credentials = self.credentials(*actions, domains=domains)
        return boto3.client(
            "customer-profiles",
            endpoint_url=self.address,
            region_name="us-east-1",
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )

    def credentials(self, *actions: str, domains: tuple[str, ...] = ("*",)) -> Credentials:
        made = create_credential(
            self.services.store,
            self.services.master_key,
            name="test",
            actions=actions,
            domains=domains,
            requests_per_second=None,
            now=utc_now(),
        )
        return Credentials(made.access_key_id, made.secret_access_key)

    def create(self, domain: str = "shop", **more: Any) -> str:
        members = {"DisplayName": "customers.csv", "Fields": FIELDS, "UniqueKey": "Email"} | more
        job_id: str = self.client.create_upload_job(DomainName=domain, **members)["JobId"]
        return job_id

    def upload(self, domain: str = "shop", job_id: str | None = None) -> Upload:
        job_id = job_id or self.create(domain)
        path = self.client.get_upload_job_path(DomainName=domain, JobId=job_id)
        key = path["ClientToken"]
        md5 = base64.b64encode(hashlib.md5(base64.b64decode(key)).digest()).decode()
        headers = {ALGORITHM: "AES256", KEY: key, KEY_MD5: md5}
        return Upload(job_id, path["Url"], path["ValidUntil"], headers)

    def job(self, job_id: str) -> UploadJob:
        with self.services.store.read() as connection:
            job = upload_jobs.find_job_by_id(connection, job_id)
        assert job is not None
        return job

    def end(self, job_id: str, status: UploadJobStatus, **values: Any) -> None:
        """What a worker would write at the end of a job that was started."""
        values = {"status": status, "completed_at": utc_now(), "epoch": 1} | values
        counts = {name: values.pop(name) for name in tuple(values) if name.endswith("_count")}
        job = self.job(job_id)
        with self.services.store.write() as connection:
            upload_jobs.update_job(connection, job, client_token=None, **counts)
            assert job_queue.update_job(connection, job, only_in=UploadJobStatus.IN_PROGRESS, **values)

    def files_of(self, job_id: str) -> list[str]:
        folder = self.services.settings.uploads_folder
        return sorted(path.name for path in folder.iterdir() if path.name.startswith(job_id))

    def content_of(self, upload: Upload) -> bytes:
        """The file of a job, decrypted."""
        (name,) = self.files_of(upload.job_id)
        with (self.services.settings.uploads_folder / name).open("rb") as file:
            return DecryptingReader(file, upload.key).read(100_000_000)

    def get(
        self,
        path: str,
        credentials: Credentials | None = None,
        *,
        query: Mapping[str, str | list[str]] | None = None,
        host: str | None = None,
    ) -> requests.Response:
        """A signed GET; unsigned without credentials."""
        url = f"{self.address}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        signed = AWSRequest("GET", url, headers={"Host": host} if host else {})
        if credentials:
            SigV4Auth(credentials, "profile", "us-east-1").add_auth(signed)
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, headers=dict(signed.headers.items()), timeout=20)


@contextmanager
def running_service(folder: Path, **settings: Any) -> Iterator[Service]:
    clock = Clock()
    chosen = Settings(
        data_folder=folder,
        max_upload_size_bytes=MAX_UPLOAD_SIZE_BYTES,
        upload_url_lifetime_seconds=LIFETIME_SECONDS,
        **settings,
    )
    master_key = load_master_key(chosen)
    store = open_store(chosen)
    services = Services(
        chosen,
        store,
        master_key,
        open_own_files(chosen, master_key),
        Authenticator(store, master_key),
        Metrics(),
        clock.now,
    )
    with serve(build_app(services, workers_alive=lambda: True)) as address:
        service = Service(address, services, clock)
        service.client.create_domain(DomainName="shop", DefaultExpirationDays=30)
        yield service
        service.client.close()
    store.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("uploads") / "data") as running:
        yield running


@pytest.fixture
def clock(service: Service) -> Iterator[Clock]:
    yield service.clock
    service.clock.offset = timedelta(0)


def refusal(answer: requests.Response) -> tuple[int, str, str]:
    """Status, code and message of an error in S3's form."""
    assert answer.headers["content-type"] == "application/xml"
    found = re.fullmatch(
        r'<\?xml version="1.0" encoding="UTF-8"\?>\n'
        r"<Error><Code>(.*)</Code><Message>(.*)</Message><RequestId>(.*)</RequestId></Error>",
        answer.text,
    )
    assert found is not None, answer.text
    assert found[3] == answer.headers["x-amzn-requestid"]
    return answer.status_code, found[1], found[2]


def fault(call: Callable[[], object]) -> tuple[str, int, str]:
    """Code, status and message of the error that a boto3 call raises."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return (
        response["Error"]["Code"],
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Message"],
    )


# The PUT


def test_a_file_that_was_put_lies_encrypted_on_the_disk_and_is_acknowledged_as_by_s3(service: Service) -> None:
    upload = service.upload()

    answer = upload.put(CSV)

    assert (answer.status_code, answer.content) == (200, b"")
    assert re.fullmatch('"[0-9a-f]{32}"', answer.headers["etag"])
    assert hashlib.md5(CSV).hexdigest() not in answer.headers["etag"]
    assert answer.headers[ALGORITHM] == "AES256"
    assert answer.headers[KEY_MD5] == upload.headers[KEY_MD5]
    assert KEY not in answer.headers
    assert service.content_of(upload) == CSV
    (name,) = service.files_of(upload.job_id)
    assert b"example.com" not in (service.services.settings.uploads_folder / name).read_bytes()
    assert service.job(upload.job_id).file_size_bytes == len(CSV)


def test_a_file_that_comes_in_chunks_of_unknown_number_arrives_whole(service: Service) -> None:
    upload = service.upload()
    data = b"".join(b"%09d\n" % number for number in range(250_000))

    answer = upload.put(data[part : part + 70_001] for part in range(0, len(data), 70_001))

    assert answer.status_code == 200
    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    assert service.content_of(upload) == data


def test_a_later_file_replaces_the_earlier_one_before_the_start(service: Service) -> None:
    upload = service.upload()
    first = upload.put(b"the first one")
    again = service.upload(job_id=upload.job_id)

    second = again.put(CSV)

    assert again.headers[KEY] == upload.headers[KEY]
    assert [first.status_code, second.status_code] == [200, 200]
    assert first.headers["etag"] != second.headers["etag"]
    assert service.content_of(upload) == CSV


def md5_of_the_text(key: str) -> str:
    return base64.b64encode(hashlib.md5(key.encode()).digest()).decode()


WRONG_HEADERS = [
    pytest.param(
        {"without": ALGORITHM},
        (400, "InvalidArgument", "must provide a valid encryption algorithm."),
        id="no algorithm",
    ),
    pytest.param({"without": KEY}, (400, "InvalidArgument", "must provide an appropriate secret key."), id="no key"),
    pytest.param(
        {"without": KEY_MD5},
        (400, "InvalidArgument", "must provide the client calculated MD5 of the secret key."),
        id="no MD5",
    ),
    pytest.param(
        {ALGORITHM: "aws:kms"},
        (
            400,
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256.",
        ),
        id="another algorithm",
    ),
    pytest.param(
        {KEY: base64.b64encode(bytes(31)).decode()},
        (400, "InvalidArgument", "The secret key was invalid for the specified algorithm."),
        id="short key",
    ),
    pytest.param(
        {KEY: "no base64"},
        (400, "InvalidArgument", "The secret key was invalid for the specified algorithm."),
        id="key that is no base64",
    ),
    pytest.param(
        {KEY: "k\xe9y"},
        (400, "InvalidArgument", "The secret key was invalid for the specified algorithm."),
        id="key that is no ASCII",
    ),
    pytest.param(
        {KEY_MD5: base64.b64encode(bytes(16)).decode()},
        (400, "InvalidArgument", "The calculated MD5 hash of the key did not match the hash that was provided."),
        id="another MD5",
    ),
    pytest.param(
        {KEY_MD5: "\xff"},
        (400, "InvalidArgument", "The calculated MD5 hash of the key did not match the hash that was provided."),
        id="MD5 that is no ASCII",
    ),
    pytest.param(
        {
            KEY: base64.b64encode(bytes(32)).decode(),
            KEY_MD5: base64.b64encode(hashlib.md5(bytes(32)).digest()).decode(),
        },
        (403, "AccessDenied", "The encryption key is not the ClientToken that GetUploadJobPath returned for this job."),
        id="another key",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), WRONG_HEADERS)
def test_a_put_without_the_jobs_own_encryption_headers_is_refused(
    service: Service, changes: dict[str, str], expected: tuple[int, str, str]
) -> None:
    upload = service.upload()

    answer = upload.put(**changes)

    status, code, message = refusal(answer)
    assert (status, code) == expected[:2]
    assert message.endswith(expected[2])
    assert service.files_of(upload.job_id) == []
    assert service.job(upload.job_id).file_name is None


def test_the_md5_is_of_the_key_and_not_of_its_base64_text(service: Service) -> None:
    upload = service.upload()

    answer = upload.put(**{KEY_MD5: md5_of_the_text(upload.headers[KEY])})

    assert refusal(answer)[:2] == (400, "InvalidArgument")


def test_a_url_is_good_until_the_second_that_valid_until_names(service: Service, clock: Clock) -> None:
    upload = service.upload()
    remaining = upload.valid_until - clock.now()
    assert timedelta(seconds=LIFETIME_SECONDS - 5) < remaining <= timedelta(seconds=LIFETIME_SECONDS)
    assert upload.valid_until.microsecond == 0

    clock.offset = remaining - timedelta(seconds=5)
    before = upload.put()
    clock.offset = remaining
    after = upload.put(b"too late")

    assert before.status_code == 200
    assert refusal(after) == (403, "AccessDenied", "Request has expired")
    assert service.content_of(upload) == CSV


def test_a_fresh_url_is_good_after_the_first_has_expired(service: Service, clock: Clock) -> None:
    upload = service.upload()
    clock.offset = timedelta(seconds=LIFETIME_SECONDS + 1)

    again = service.upload(job_id=upload.job_id)

    assert upload.put().status_code == 403
    assert again.put().status_code == 200


def test_an_altered_url_is_refused(service: Service) -> None:
    upload, other = service.upload(), service.upload()
    parts = urlsplit(upload.url)
    last = upload.url[-1]
    altered = [
        upload.url[:-1] + ("0" if last != "0" else "1"),
        upload.url[:-1],
        upload.url + "é",
        upload.url.replace("expires=", "expires=1"),
        upload.url.replace("expires=", "expires=" + "9" * 5000),
        upload.url.replace("expires=", "expires=%D9%A1"),
        upload.url.replace(upload.job_id, other.job_id),
        upload.url.replace(upload.job_id, UNKNOWN_JOB),
        upload.url.replace(upload.job_id, "%00%FF%0A"),
        upload.url.partition("?")[0],
        upload.url.partition("&")[0],
        f"{upload.url.partition('?')[0]}?{parts.query.partition('&')[2]}",
    ]

    answers = [upload.put(url=url) for url in altered]

    assert [refusal(answer)[:2] for answer in answers] == [(403, "SignatureDoesNotMatch")] * len(altered)
    assert service.files_of(upload.job_id) == service.files_of(other.job_id) == []


def test_a_key_does_not_open_another_job(service: Service) -> None:
    upload, other = service.upload(), service.upload()

    answer = upload.put(url=other.url)

    assert refusal(answer)[:2] == (403, "AccessDenied")
    assert service.files_of(other.job_id) == []


def test_a_file_over_the_limit_is_refused_whether_its_length_is_declared_or_not(service: Service) -> None:
    upload = service.upload()
    fitting, larger = bytes(MAX_UPLOAD_SIZE_BYTES), bytes(MAX_UPLOAD_SIZE_BYTES + 1)

    declared = upload.put(larger)
    undeclared = upload.put(larger[part : part + 99_999] for part in range(0, len(larger), 99_999))

    expected = (400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    assert refusal(declared) == refusal(undeclared) == expected
    assert service.files_of(upload.job_id) == []
    assert upload.put(fitting).status_code == 200


def test_a_file_that_is_not_what_its_checksum_says_is_refused_and_the_earlier_one_stays(service: Service) -> None:
    upload = service.upload()
    upload.put(CSV)

    answer = upload.put(b"E-mail\ngarbled\n", Content_MD5=base64.b64encode(hashlib.md5(CSV).digest()).decode())

    assert refusal(answer) == (400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
    assert service.content_of(upload) == CSV


def test_an_aws_chunked_body_is_unpacked_and_a_malformed_one_refused(service: Service) -> None:
    upload = service.upload()
    framed = {
        "x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "content_encoding": "aws-chunked",
        "x_amz_decoded_content_length": str(len(CSV)),
        "x_amz_trailer": "x-amz-checksum-crc32",
    }
    crc = base64.b64encode(zlib.crc32(CSV).to_bytes(4, "big"))
    trailer = b"0\r\nx-amz-checksum-crc32:" + crc + b"\r\n\r\n"

    taken = upload.put(b"%x\r\n%b\r\n" % (len(CSV), CSV) + trailer, **framed)
    malformed = upload.put(CSV, **framed)

    assert taken.status_code == 200, taken.text
    assert refusal(malformed)[:2] == (400, "InvalidRequest")
    assert service.content_of(upload) == CSV
    assert service.job(upload.job_id).file_size_bytes == len(CSV)


def head_of(upload: Upload, length: int, **headers: str) -> bytes:
    parts = urlsplit(upload.url)
    lines = [f"PUT {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in (upload.headers | headers).items()]
    return "\r\n".join([*lines, "", ""]).encode()


def connect_to(upload: Upload) -> socket.socket:
    parts = urlsplit(upload.url)
    connection = socket.create_connection((str(parts.hostname), parts.port or 0), timeout=20)
    # Or the last bytes of a request wait for the acknowledgement of the first.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_client_that_asks_first_is_told_to_go_on(service: Service) -> None:
    upload = service.upload()
    with connect_to(upload) as connection:
        connection.sendall(head_of(upload, len(CSV), Expect="100-continue"))
        invitation = connection.recv(65536)
        connection.sendall(CSV)
        answer = connection.recv(65536)

    assert invitation == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert service.content_of(upload) == CSV


@pytest.mark.parametrize(
    ("length", "headers"),
    [(len(CSV), {KEY_MD5: "wrong"}), (MAX_UPLOAD_SIZE_BYTES + 1, {})],
    ids=["wrong header", "too large"],
)
def test_a_client_that_asks_first_is_refused_before_it_has_sent_the_file(
    service: Service, length: int, headers: dict[str, str]
) -> None:
    upload = service.upload()
    with connect_to(upload) as connection:
        connection.sendall(head_of(upload, length, Expect="100-continue", **headers))
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in answer
    assert b"100 Continue" not in answer
    assert answer.endswith(b"</Error>")


def test_a_refused_client_that_asks_for_nothing_may_send_its_whole_file_and_still_reads_why(service: Service) -> None:
    upload = service.upload()
    with connect_to(upload) as connection:
        connection.sendall(head_of(upload, 20_000_000, **{KEY_MD5: "wrong"}))
        # More than the buffers of both sides hold: a server that had closed the connection would have reset it.
        connection.sendall(bytes(20_000_000))
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<Code>InvalidArgument</Code>" in answer


def wait_for_files(service: Service, job_id: str, count: int) -> list[str]:
    """The files of a job, once there are so many of them."""
    deadline = time.monotonic() + 10
    while len(found := service.files_of(job_id)) != count:
        assert time.monotonic() < deadline, f"waited 10 s in vain for {count} files; there are {found}"
        time.sleep(0.01)
    return found


def test_a_put_that_breaks_off_leaves_nothing_that_could_be_started(service: Service) -> None:
    upload = service.upload()
    with connect_to(upload) as connection:
        connection.sendall(head_of(upload, 2_000_000) + bytes(1_500_000))
        begun = wait_for_files(service, upload.job_id, 1)

    wait_for_files(service, upload.job_id, 0)
    code, status, message = fault(lambda: service.client.start_upload_job(DomainName="shop", JobId=upload.job_id))

    assert [name.endswith(".part") for name in begun] == [True]
    assert (code, status) == ("BadRequestException", 400)
    assert "has no file yet" in message


def test_a_put_that_breaks_off_leaves_the_earlier_file(service: Service) -> None:
    upload = service.upload()
    upload.put(CSV)
    with connect_to(upload) as connection:
        connection.sendall(head_of(upload, 2_000_000) + bytes(1_500_000))
        wait_for_files(service, upload.job_id, 2)

    wait_for_files(service, upload.job_id, 1)

    assert service.content_of(upload) == CSV


def test_a_client_that_stops_sending_is_refused_after_a_while(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_route, "_PIECE_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(upload_route, "_LINGER_SECONDS", 0.2)
    upload = service.upload()
    with connect_to(upload) as connection:
        connection.sendall(head_of(upload, len(CSV)) + CSV[:-1])
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<Code>RequestTimeout</Code>" in answer
    assert service.files_of(upload.job_id) == []


@pytest.mark.parametrize("size_bytes", [10, 2_500_000], ids=["found at the end", "found on the way"])
def test_a_full_disk_is_said_in_plain_words_and_nothing_is_left(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    size_bytes: int,
) -> None:
    upload = service.upload()
    opened = os.open

    def open_on_a_full_disk(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if not str(path).endswith(".part"):
            return opened(path, flags, mode)
        os.close(opened(path, flags, mode))
        return opened("/dev/full", os.O_WRONLY)

    monkeypatch.setattr(os, "open", open_on_a_full_disk)
    answer = upload.put(bytes(size_bytes))
    monkeypatch.undo()

    status, code, message = refusal(answer)
    assert (status, code) == (507, "InsufficientStorage")
    assert message.startswith("This server's disk is full. The file was not stored.")
    assert service.files_of(upload.job_id) == []
    assert fault(lambda: service.client.start_upload_job(DomainName="shop", JobId=upload.job_id))[1] == 400
    assert "upload_disk_full" in caplog.text
    assert upload.put().status_code == 200


def test_a_disk_that_takes_no_writes_is_answered_in_a_sentence_and_leaves_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    upload = service.upload()

    def fail(_receiver: receive.FileReceiver) -> str:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(receive.FileReceiver, "publish", fail)
    answer = upload.put()

    status, code, message = refusal(answer)
    assert (status, code) == (503, "ServiceUnavailable")
    assert message.startswith("The server cannot write to its folder for uploaded files.")
    assert service.files_of(upload.job_id) == []
    assert "upload_not_writable" in caplog.text


def test_an_unexpected_fault_is_answered_without_detail_and_leaves_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    upload = service.upload()

    def fail(_receiver: receive.FileReceiver) -> str:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(receive.FileReceiver, "publish", fail)
    answer = upload.put()

    assert refusal(answer) == (500, "InternalError", "We encountered an internal error. Please try again.")
    assert service.files_of(upload.job_id) == []
    assert "upload_failed" in caplog.text
    for secret in (upload.headers[KEY], urlsplit(upload.url).query, "signature"):
        assert secret not in str(caplog.messages)


def test_a_store_that_cannot_be_written_leaves_the_earlier_file_and_nothing_else(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = service.upload()
    upload.put(CSV)

    def fail(*_arguments: Any, **_values: Any) -> bool:
        raise OperationalError("update", None, Exception("database or disk is full"))

    monkeypatch.setattr(upload_jobs, "update_job", fail)
    answer = upload.put(b"another file")
    monkeypatch.undo()

    assert refusal(answer)[:2] == (500, "InternalError")
    assert service.content_of(upload) == CSV


def test_a_put_for_a_started_or_stopped_job_is_refused(service: Service) -> None:
    started, stopped = service.upload(), service.upload()
    for upload in (started, stopped):
        upload.put()
    service.client.start_upload_job(DomainName="shop", JobId=started.job_id)
    service.client.stop_upload_job(DomainName="shop", JobId=stopped.job_id)

    answers = [upload.put(b"later") for upload in (started, stopped)]

    assert [refusal(answer) for answer in answers] == [
        (
            409,
            "InvalidObjectState",
            f"Upload job {upload.job_id} is in {status} status; a file can be uploaded only while it is CREATED.",
        )
        for upload, status in ((started, "IN_PROGRESS"), (stopped, "STOPPED"))
    ]
    assert service.content_of(started) == CSV


def test_a_put_that_ends_after_the_start_is_refused_and_the_earlier_file_counts(service: Service) -> None:
    upload = service.upload()
    upload.put(CSV)
    with connect_to(upload) as connection:
        connection.sendall(head_of(upload, 5) + b"late")
        wait_for_files(service, upload.job_id, 2)
        service.client.start_upload_job(DomainName="shop", JobId=upload.job_id)
        connection.sendall(b"r")
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 409 ")
    assert b"<Code>InvalidObjectState</Code>" in answer
    assert service.content_of(upload) == CSV


def test_a_put_for_a_deleted_domain_is_refused_also_when_the_name_is_in_use_again(service: Service) -> None:
    service.client.create_domain(DomainName="gone", DefaultExpirationDays=30)
    upload = service.upload("gone")
    with connect_to(upload) as connection:
        connection.sendall(head_of(upload, 5) + b"late")
        wait_for_files(service, upload.job_id, 1)
        service.client.delete_domain(DomainName="gone")
        service.client.create_domain(DomainName="gone", DefaultExpirationDays=30)
        connection.sendall(b"r")
        under_way = read_all(connection)

    answer = upload.put()

    assert refusal(answer)[:2] == (404, "NoSuchUpload")
    assert under_way.startswith(b"HTTP/1.1 409 ")
    assert service.files_of(upload.job_id) == []


# The path


def test_the_url_leads_to_the_host_that_the_request_named(service: Service) -> None:
    job_id = service.create()
    path = f"/domains/shop/upload-jobs/{job_id}/path"
    credentials = service.credentials("*")
    ours = urlsplit(service.address).netloc
    hosts = {
        "profiles.example.com": "profiles.example.com",
        "profiles.example.com:8443": "profiles.example.com:8443",
        "[::1]:8420": "[::1]:8420",
        "a b": ours,
        "x/y": ours,
        "user@host": ours,
        "host:port": ours,
        "h" * 3000: ours,
    }

    answers = {host: service.get(path, credentials, host=host) for host in hosts}

    assert {host: answer.status_code for host, answer in answers.items()} == dict.fromkeys(hosts, 200)
    urls = {host: answer.json()["Url"] for host, answer in answers.items()}
    assert {host: urlsplit(url).netloc for host, url in urls.items()} == hosts
    assert all(url.startswith("http://") and len(url) <= 2048 for url in urls.values())


def test_a_request_without_a_host_gets_no_5xx(service: Service) -> None:
    parts = urlsplit(service.address)
    with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=20) as connection:
        connection.sendall(b"GET /domains/shop/upload-jobs/x/path HTTP/1.0\r\n\r\n")
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 403 ")


def test_the_public_url_goes_before_the_host(tmp_path: Path) -> None:
    with running_service(tmp_path / "data", public_url="https://profiles.example.com/") as behind_proxy:
        upload = behind_proxy.upload()

        answer = upload.put(url=upload.url.replace("https://profiles.example.com", behind_proxy.address))

    assert upload.url.startswith(f"https://profiles.example.com/openprofiles/v1/uploads/{upload.job_id}?")
    assert answer.status_code == 200


def test_a_path_is_given_only_while_the_job_waits_for_its_file(service: Service) -> None:
    upload = service.upload()
    upload.put()
    service.client.start_upload_job(DomainName="shop", JobId=upload.job_id)

    code, status, message = fault(lambda: service.upload(job_id=upload.job_id))

    assert (code, status) == ("BadRequestException", 400)
    assert message.startswith(f"Upload job {upload.job_id} is in IN_PROGRESS status; ")


# The operations


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_a_job_is_shown_as_it_was_made(service: Service) -> None:
    before = utc_now()
    job_id = service.create(DisplayName="März.csv", DataExpiry=1098)

    shown = without_metadata(service.client.get_upload_job(DomainName="shop", JobId=job_id))

    created_at = shown.pop("CreatedAt")
    assert before <= created_at <= utc_now()
    assert shown == {
        "JobId": job_id,
        "DisplayName": "März.csv",
        "Status": "CREATED",
        "Fields": FIELDS,
        "UniqueKey": "Email",
        "ResultsSummary": {"CreatedRecords": 0, "UpdatedRecords": 0, "FailedRecords": 0},
        "DataExpiry": 1098,
    }


def test_an_ended_job_shows_its_end_and_its_counts(service: Service) -> None:
    upload = service.upload()
    upload.put()
    service.client.start_upload_job(DomainName="shop", JobId=upload.job_id)
    ended_at = utc_now()
    service.end(
        upload.job_id,
        UploadJobStatus.PARTIALLY_SUCCEEDED,
        status_reason="VALIDATION_FAILURE",
        completed_at=ended_at,
        created_count=5_000_000_000,
        updated_count=2,
        failed_count=1,
    )

    shown = service.client.get_upload_job(DomainName="shop", JobId=upload.job_id)
    listed = service.client.list_upload_jobs(DomainName="shop", MaxResults=1)["Items"][0]

    assert shown["Status"] == "PARTIALLY_SUCCEEDED"
    assert shown["StatusReason"] == "VALIDATION_FAILURE"
    assert shown["CompletedAt"] == ended_at
    assert shown["DataExpiry"] == 14
    assert shown["ResultsSummary"] == {"CreatedRecords": 5_000_000_000, "UpdatedRecords": 2, "FailedRecords": 1}
    shared = ("JobId", "DisplayName", "Status", "StatusReason", "CreatedAt", "CompletedAt", "DataExpiry")
    assert listed == {name: shown[name] for name in shared}


def test_the_paginator_gives_every_job_of_the_domain_once_newest_first(service: Service) -> None:
    service.client.create_domain(DomainName="listed", DefaultExpirationDays=30)
    made = [service.create("listed") for _ in range(5)]

    paginator = service.client.get_paginator("list_upload_jobs")
    pages = list(paginator.paginate(DomainName="listed", PaginationConfig={"PageSize": 2}))

    assert [len(page["Items"]) for page in pages] == [2, 2, 1]
    assert [item["JobId"] for page in pages for item in page["Items"]] == made[::-1]
    assert "NextToken" not in pages[-1]
    assert service.client.list_upload_jobs(DomainName="listed")["Items"] == [
        item for page in pages for item in page["Items"]
    ]


def token_of(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


ABSURD_LIST_TOKENS = {
    "no token": "x",
    "other list": write_token("failed-rows", [1]),
    "beyond 64 bits": token_of(1, "ListUploadJobs", 10**30, 1),
    "beyond the calendar": token_of(1, "ListUploadJobs", 2**62, 1),
    "before the calendar": token_of(1, "ListUploadJobs", -(2**62), 1),
    "thousands of digits": token_of(1, "ListUploadJobs", 0, 10**700),
    "text": token_of(1, "ListUploadJobs", "0", "1"),
    "true": token_of(1, "ListUploadJobs", True, 1),
    "not finite": token_of(1, "ListUploadJobs", float("inf"), 1),
    "too few": token_of(1, "ListUploadJobs", 0),
}


@pytest.mark.parametrize("token", ABSURD_LIST_TOKENS.values(), ids=ABSURD_LIST_TOKENS.keys())
def test_a_token_that_no_page_gave_is_refused(service: Service, token: str) -> None:
    code, status, message = fault(lambda: service.client.list_upload_jobs(DomainName="shop", NextToken=token))

    assert (code, status) == ("BadRequestException", 400)
    assert message.startswith("NextToken is not valid here.")


def test_a_job_starts_once_and_only_with_a_file(service: Service) -> None:
    upload = service.upload()

    def start() -> Any:
        return service.client.start_upload_job(DomainName="shop", JobId=upload.job_id)

    without_file = fault(start)
    upload.put()
    answer = start()
    twice = fault(start)

    assert without_file[:2] == twice[:2] == ("BadRequestException", 400)
    assert "has no file yet" in without_file[2]
    assert without_metadata(answer) == {}
    assert twice[2].startswith(f"Upload job {upload.job_id} is in IN_PROGRESS status and cannot be started")
    assert service.job(upload.job_id).status is UploadJobStatus.IN_PROGRESS


def test_a_job_that_was_not_started_is_stopped_for_good(service: Service) -> None:
    upload = service.upload()
    upload.put()

    answers = [service.client.stop_upload_job(DomainName="shop", JobId=upload.job_id) for _ in range(2)]

    shown = service.client.get_upload_job(DomainName="shop", JobId=upload.job_id)
    assert [without_metadata(answer) for answer in answers] == [{}, {}]
    assert shown["Status"] == "STOPPED"
    assert "StatusReason" not in shown
    assert shown["CompletedAt"] >= shown["CreatedAt"]
    assert fault(lambda: service.client.start_upload_job(DomainName="shop", JobId=upload.job_id))[1] == 400


@pytest.mark.parametrize(
    "status", [UploadJobStatus.SUCCEEDED, UploadJobStatus.PARTIALLY_SUCCEEDED, UploadJobStatus.FAILED]
)
def test_an_ended_job_can_be_neither_stopped_nor_started(service: Service, status: UploadJobStatus) -> None:
    upload = service.upload()
    upload.put()
    service.client.start_upload_job(DomainName="shop", JobId=upload.job_id)
    service.end(upload.job_id, status)

    faults = [
        fault(lambda: service.client.stop_upload_job(DomainName="shop", JobId=upload.job_id)),
        fault(lambda: service.client.start_upload_job(DomainName="shop", JobId=upload.job_id)),
    ]

    assert [found[:2] for found in faults] == [("BadRequestException", 400)] * 2
    assert all(f"Upload job {upload.job_id} is in {status} status" in found[2] for found in faults)
    assert service.job(upload.job_id).status is status


ON_ONE_JOB = ("get_upload_job", "get_upload_job_path", "start_upload_job", "stop_upload_job")


@pytest.mark.parametrize("operation", ON_ONE_JOB)
def test_a_job_that_is_not_in_the_domain_does_not_exist(service: Service, operation: str) -> None:
    call = getattr(service.client, operation)
    if "elsewhere" not in [item["DomainName"] for item in service.client.list_domains()["Items"]]:
        service.client.create_domain(DomainName="elsewhere", DefaultExpirationDays=30)
    other = service.create("elsewhere")

    faults = [fault(partial(call, DomainName="shop", JobId=job_id)) for job_id in (UNKNOWN_JOB, other)]
    of_domain = fault(lambda: call(DomainName="nowhere", JobId=other))
    malformed = fault(lambda: call(DomainName="shop", JobId="no-such-job"))

    assert [found[:2] for found in [*faults, of_domain]] == [("ResourceNotFoundException", 404)] * 3
    assert faults[0][2] == f"Upload job {UNKNOWN_JOB} does not exist in domain shop."
    # The model asks GetUploadJob alone for 32 hexadecimal digits.
    expected = 400 if operation == "get_upload_job" else 404
    assert malformed[1] == expected


def test_jobs_of_a_domain_that_does_not_exist_are_neither_made_nor_listed(service: Service) -> None:
    faults = [
        fault(lambda: service.create("nowhere")),
        # Whatever the mapping is.
        fault(lambda: service.create("nowhere", Fields=one("_source.", "_profile.FirstName"))),
        fault(lambda: service.client.list_upload_jobs(DomainName="nowhere")),
    ]

    assert [found[:2] for found in faults] == [("ResourceNotFoundException", 404)] * 3


def one(source: str, target: str) -> dict[str, dict[str, str]]:
    return {"Odd": {"Source": source, "Target": target}}


WRONG_MAPPINGS = {
    "no fields": ({}, "Email", "Fields is empty"),
    "source without prefix": (one("Tier", "_profile.Attributes.tier"), "Odd", "Field Odd: Source must be _source."),
    "source without header": (one("_source.", "_profile.FirstName"), "Odd", "Field Odd: Source must be _source."),
    "no source": ({"Odd": {"Target": "_profile.FirstName"}}, "Odd", "Field Odd: Source must be _source."),
    "macro": (one("{{_source.a}} {{_source.b}}", "_profile.FirstName"), "Odd", "Field Odd: Source is a macro"),
    "no target": ({"Odd": {"Source": "_source.a"}}, "Odd", "Field Odd: Target must begin with _profile."),
    "target without prefix": (one("_source.a", "FirstName"), "Odd", "Field Odd: Target must begin with _profile."),
    "unknown target": (one("_source.a", "_profile.Nonsense"), "Odd", "Field Odd: Target is not a field"),
    "profile id": (
        one("_source.a", "_profile.ProfileId"),
        "Odd",
        "Field Odd: Target _profile.ProfileId is assigned by",
    ),
    "preferences": (
        one("_source.a", "_profile.EngagementPreferences.Email"),
        "Odd",
        "Field Odd: Target _profile.EngagementPreferences cannot be loaded",
    ),
    "whole address": (one("_source.a", "_profile.Address"), "Odd", "Field Odd: Target is a whole"),
    "attribute without name": (one("_source.a", "_profile.Attributes."), "Odd", "Field Odd: the attribute's name"),
    "one target twice": (
        one("_source.a", "_profile.FirstName") | {"Other": {"Source": "_source.b", "Target": "_profile.FirstName"}},
        "Odd",
        "Fields Odd and Other have the same Target",
    ),
    "twins": (
        one("_source.a", "_profile.Gender") | {"Other": {"Source": "_source.b", "Target": "_profile.GenderString"}},
        "Odd",
        "Fields Odd and Other have the same Target",
    ),
    "unknown unique key": (FIELDS, "Phone", "UniqueKey Phone is not one of the Fields. Name one of: Email, Tier."),
    "header of two fields": (
        one("_source.a", "_profile.FirstName") | {"Other": {"Source": "_source.a", "Target": "_profile.LastName"}},
        "a",
        "UniqueKey names a column that fields Odd, Other share",
    ),
}


@pytest.mark.parametrize(("fields", "unique_key", "message"), WRONG_MAPPINGS.values(), ids=WRONG_MAPPINGS.keys())
def test_a_mapping_that_cannot_be_used_is_refused_by_the_name_of_its_field(
    service: Service, fields: dict[str, dict[str, str]], unique_key: str, message: str
) -> None:
    before = service.client.list_upload_jobs(DomainName="shop", MaxResults=1)["Items"]

    code, status, said = fault(lambda: service.create(Fields=fields, UniqueKey=unique_key))

    assert (code, status) == ("BadRequestException", 400)
    assert said.startswith(message)
    assert service.client.list_upload_jobs(DomainName="shop", MaxResults=1)["Items"] == before


@pytest.mark.parametrize("unique_key", ["Email", "_profile.EmailAddress", "EmailAddress", "E-mail", "_source.E-mail"])
def test_the_unique_key_may_be_a_field_a_target_or_a_header(service: Service, unique_key: str) -> None:
    job_id = service.create(UniqueKey=unique_key)

    assert service.client.get_upload_job(DomainName="shop", JobId=job_id)["UniqueKey"] == unique_key


@pytest.mark.parametrize("days", [0, 1099])
def test_an_expiry_outside_the_model_is_refused(service: Service, days: int) -> None:
    # boto3 itself refuses what is too small, so the request is made by hand.
    body = json.dumps({"DisplayName": "x", "Fields": FIELDS, "UniqueKey": "Email", "DataExpiry": days})
    url = f"{service.address}/domains/shop/upload-jobs"
    signed = AWSRequest("POST", url, data=body)
    SigV4Auth(service.credentials("*"), "profile", "us-east-1").add_auth(signed)

    answer = requests.post(url, data=body, headers=dict(signed.headers.items()), timeout=20)

    assert answer.status_code == 400
    assert "DataExpiry" in answer.json()["Message"]


def test_strict_holds_jobs_to_the_limits_of_aws(tmp_path: Path) -> None:
    fields = {
        f"F{number}": {"Source": f"_source.{number}", "Target": f"_profile.Attributes.{number}"} for number in range(26)
    }
    with running_service(tmp_path / "data", compat_strict=True) as strict:
        too_long = fault(lambda: strict.create(DataExpiry=91))
        too_many = fault(lambda: strict.create(Fields=fields, UniqueKey="F0"))
        strict.create(DataExpiry=90, Fields=dict(list(fields.items())[:25]), UniqueKey="F0")

    assert too_long[:2] == too_many[:2] == ("BadRequestException", 400)
    assert "at most 90" in too_long[2]
    assert "at most 25" in too_many[2]


# What AWS has no operation for


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/openprofiles/v1/uploads/"),
        ("PUT", f"/openprofiles/v1/uploads/{UNKNOWN_JOB}/"),
        ("GET", f"/openprofiles/v1/uploads/{UNKNOWN_JOB}"),
        ("POST", f"/openprofiles/v1/domains/shop/upload-jobs/{UNKNOWN_JOB}/progress"),
        ("GET", f"/openprofiles/v1/domains/shop/upload-jobs/{UNKNOWN_JOB}/progress/"),
        ("GET", f"/openprofiles/v1/domains/shop/upload-jobs/{UNKNOWN_JOB}"),
    ],
)
def test_an_own_path_that_is_not_there_is_neither_redirected_nor_guessed(
    service: Service, method: str, path: str
) -> None:
    answer = requests.request(method, service.address + path, allow_redirects=False, timeout=20)

    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")


def job_with_failed_rows(service: Service, count: int) -> str:
    upload = service.upload()
    upload.put()
    service.client.start_upload_job(DomainName="shop", JobId=upload.job_id)
    service.end(upload.job_id, UploadJobStatus.FAILED, status_reason="VALIDATION_FAILURE", failure_message="All.")
    job = service.job(upload.job_id)
    with service.services.store.write() as connection:
        connection.execute(
            update(upload_job)
            .where(upload_job.c.job_number == job.job_number)
            .values(file_header=["Colour", "Size, in m"])
        )
        assert job.failed_rows_key is not None
        key = decrypt_failed_rows_key(service.services.master_key, job.failed_rows_key, upload.job_id)
        cipher = FailedRowCipher(key)
        connection.execute(
            insert(failed_row),
            [
                {
                    "upload_job_id": job.job_number,
                    "record": 10 * record,
                    "fault": fault,
                    "line": 10 * record + 1,
                    "code": "NUL_BYTE" if record == 1 else "VALUE_TOO_LONG",
                    "column_name": None if record == 1 else f"Tier{fault or ''}",
                    "detail": None if record == 1 else 300 + fault,
                    "content": None
                    if fault
                    else cipher.encrypt(10 * record, b'r\xe9d,"1,5",x,y' if record > 1 else b'"a"b'),
                }
                for record in range(1, count + 1)
                for fault in range(1 if record == 1 else 2)
            ],
        )
    return upload.job_id


def own_path(job_id: str, what: str, domain: str = "shop") -> str:
    return f"/openprofiles/v1/domains/{domain}/upload-jobs/{job_id}/{what}"


def test_failed_rows_come_in_file_order_page_by_page_with_their_reasons(service: Service) -> None:
    job_id = job_with_failed_rows(service, 5)
    reader = service.credentials("profile:Get*")

    pages = [service.get(own_path(job_id, "failed-rows"), reader, query={"max-results": "2"}).json()]
    while token := pages[-1].get("NextToken"):
        query = {"max-results": "2", "next-token": token}
        pages.append(service.get(own_path(job_id, "failed-rows"), reader, query=query).json())
    everything = service.get(own_path(job_id, "failed-rows"), reader)

    assert [[item["Record"] for item in page["Items"]] for page in pages] == [[10, 20], [30, 40], [50]]
    assert everything.headers["content-type"] == "application/json"
    assert everything.json() == {
        "Columns": ["Colour", "Size, in m"],
        "Items": [item for page in pages for item in page["Items"]],
    }
    assert everything.json()["Items"][:2] == [
        {
            "Record": 10,
            "Line": 11,
            "Faults": [
                {
                    "Code": "NUL_BYTE",
                    "Message": "The row contains a NUL byte, which is not valid in text. Remove it.",
                }
            ],
            "Surplus": '"a"b',
        },
        {
            "Record": 20,
            "Line": 21,
            "Faults": [
                {
                    "Column": f"Tier{number}",
                    "Code": "VALUE_TOO_LONG",
                    "Message": f"The value in column Tier{number} has {length} characters, which is too long for "
                    "its field. A field takes 255 characters, AdditionalInformation 1,000.",
                }
                for number, length in (("", 300), (1, 301))
            ],
            "Cells": ["r\\xe9d", "1,5"],
            "Surplus": "x,y",
        },
    ]


def test_failed_rows_come_as_a_file_that_can_be_uploaded_again(service: Service) -> None:
    job_id = job_with_failed_rows(service, 3)

    answer = service.get(own_path(job_id, "failed-rows.csv"), service.credentials("profile:Get*"))

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{job_id}.failed-rows.csv"'
    surplus = "Put each value into its column, then empty openprofiles_surplus."
    nul = f"The row contains a NUL byte, which is not valid in text. Remove it. {surplus}"
    long = " ".join(
        f"The value in column Tier{number} has {length} characters, which is too long for its field. "
        "A field takes 255 characters, AdditionalInformation 1,000."
        for number, length in (("", 300), (1, 301))
    )
    assert answer.content == (
        b'Colour,"Size, in m",openprofiles_surplus,openprofiles_line,openprofiles_column,openprofiles_code,'
        b"openprofiles_message\n"
        + f',,"""a""b",11,,NUL_BYTE,"{nul}"\n'.encode()
        + b"".join(
            b'r\xe9d,"1,5","x,y",%d,Tier; Tier1,VALUE_TOO_LONG; VALUE_TOO_LONG,"%s %s"\n'
            % (line, long.encode(), surplus.encode())
            for line in (21, 31)
        )
    )


def test_failed_rows_come_as_a_file_for_spreadsheets_when_that_is_asked_for(service: Service) -> None:
    job_id = job_with_failed_rows(service, 3)
    reader = service.credentials("profile:Get*")

    answer = service.get(own_path(job_id, "failed-rows.csv"), reader, query={"form": "spreadsheet"})
    refused = service.get(own_path(job_id, "failed-rows.csv"), reader, query={"form": "table"})

    header, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert header == ["Colour", "Size, in m", *SPREADSHEET_COLUMNS]
    assert rows[1][:4] == ["r\ufffdd", "1,5", "x,y", "21"]
    assert refused.status_code == 400
    assert "Value at 'Form' failed to satisfy constraint" in refused.json()["Message"]


def test_a_strict_server_sends_failed_rows_in_the_plain_form_that_it_reads(tmp_path: Path) -> None:
    with running_service(tmp_path / "data", compat_strict=True) as strict:
        job_id, reader = job_with_failed_rows(strict, 3), strict.credentials("profile:Get*")
        answers = [
            strict.get(own_path(job_id, "failed-rows.csv"), reader, query=query)
            for query in ({}, {"form": "spreadsheet"})
        ]

    assert answers[0].content == answers[1].content
    assert answers[0].content.startswith(b"Colour,")


def test_a_job_without_failed_rows_has_an_empty_file_of_them(service: Service) -> None:
    answer = service.get(own_path(service.create(), "failed-rows.csv"), service.credentials("*"))

    assert answer.status_code == 200
    assert answer.text.startswith("openprofiles_surplus,")
    assert answer.text.count("\n") == 1


def test_a_page_of_failed_rows_holds_a_thousand_unless_asked_for_fewer(service: Service) -> None:
    job_id = job_with_failed_rows(service, 1001)
    reader = service.credentials("*")

    first = service.get(own_path(job_id, "failed-rows"), reader).json()
    query = {"next-token": first["NextToken"], "max-results": "1000"}
    second = service.get(own_path(job_id, "failed-rows"), reader, query=query).json()

    assert (len(first["Items"]), len(second["Items"])) == (1000, 1)
    assert "NextToken" not in second


WRONG_QUERIES: dict[str, Mapping[str, str | list[str]]] = {
    "zero": {"max-results": "0"},
    "too many": {"max-results": "1001"},
    "negative": {"max-results": "-1"},
    "empty": {"max-results": ""},
    "no number": {"max-results": "5_0"},
    "other digits": {"max-results": "٣"},
    "thousands of digits": {"max-results": "1" * 5000},
    "twice": {"max-results": ["1", "2"]},
    "no token": {"next-token": "x"},
    "empty token": {"next-token": ""},
    "token of another list": {"next-token": write_token("ListUploadJobs", [1, 1])},
    "token beyond 64 bits": {"next-token": token_of(1, "failed-rows", 10**30)},
}


@pytest.mark.parametrize("query", WRONG_QUERIES.values(), ids=WRONG_QUERIES.keys())
def test_a_wrong_query_for_failed_rows_is_refused(service: Service, query: Mapping[str, str | list[str]]) -> None:
    answer = service.get(own_path(service.create(), "failed-rows"), service.credentials("*"), query=query)

    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (400, "BadRequestException")
    assert answer.json()["Message"].startswith(("NextToken", "Value at", "1 validation"))


def test_progress_of_a_new_job_leaves_out_what_is_not_known_yet(service: Service) -> None:
    job_id = service.create()

    answer = service.get(own_path(job_id, "progress"), service.credentials("*"))

    assert answer.json() == {
        "JobId": job_id,
        "Status": "CREATED",
        "CreatedRecords": 0,
        "UpdatedRecords": 0,
        "UnchangedRecords": 0,
        "FailedRecords": 0,
        "ProcessedRecords": 0,
        "StopRequested": False,
        "PhoneRegion": "US",
        "CreatedAt": service.job(job_id).created_at.timestamp(),
    }


def test_progress_of_a_running_job_says_how_far_its_step_is(service: Service) -> None:
    upload = service.upload()
    upload.put()
    service.client.start_upload_job(DomainName="shop", JobId=upload.job_id)
    counts = {"record_count": 300, "failed_count": 100, "created_count": 50}
    values = {"phase": "create", "step_started_at": utc_now() - timedelta(seconds=100)}
    job = service.job(upload.job_id)
    with service.services.store.write() as connection:
        upload_jobs.update_job(connection, job, **counts)
        job_queue.update_job(connection, job, only_in=UploadJobStatus.IN_PROGRESS, **values)

    answer = service.get(own_path(upload.job_id, "progress"), service.credentials("*")).json()["Progress"]

    assert answer.pop("PerSecond") == pytest.approx(0.5, rel=0.1)
    assert answer.pop("SecondsLeft") == pytest.approx(300, rel=0.1)
    assert answer == {
        "Step": 3,
        "StepCount": 4,
        "Doing": "Importing rows",
        "Done": 50,
        "Total": 200,
        "Unit": "rows",
        "Share": 0.4875,
    }


def test_progress_of_an_ended_job_says_what_became_of_it(service: Service) -> None:
    upload = service.upload()
    upload.put()
    service.client.start_upload_job(DomainName="shop", JobId=upload.job_id)
    service.end(
        upload.job_id,
        UploadJobStatus.FAILED,
        status_reason="INTERNAL_FAILURE",
        failure_message="The load ended unexpectedly.",
        phase="create",
        position=27,
        record_count=100,
        created_count=20,
        updated_count=3,
        unchanged_count=2,
        failed_count=4,
        stop_requested_at=utc_now(),
    )

    answer = service.get(own_path(upload.job_id, "progress"), service.credentials("*"))

    job = service.job(upload.job_id)
    assert job.started_at is not None
    assert job.completed_at is not None
    assert answer.json() == {
        "JobId": upload.job_id,
        "Status": "FAILED",
        "StatusReason": "INTERNAL_FAILURE",
        "Message": "The load ended unexpectedly.",
        "Phase": "create",
        "Position": 27,
        "RecordCount": 100,
        "CreatedRecords": 20,
        "UpdatedRecords": 3,
        "UnchangedRecords": 2,
        "FailedRecords": 4,
        "ProcessedRecords": 27,
        "UnprocessedRecords": 73,
        "StopRequested": True,
        "PhoneRegion": "US",
        "CreatedAt": job.created_at.timestamp(),
        "StartedAt": job.started_at.timestamp(),
        "CompletedAt": job.completed_at.timestamp(),
    }


@pytest.mark.parametrize("what", ["failed-rows", "failed-rows.csv", "progress"])
def test_own_paths_are_held_to_signatures_permissions_and_names_as_the_api_is(service: Service, what: str) -> None:
    job_id = service.create()
    everything = service.credentials("*")
    path = own_path(job_id, what)

    def answer(path: str, credentials: Credentials | None) -> tuple[int, str | None]:
        got = service.get(path, credentials)
        assert got.status_code == 200 or got.json().keys() == {"Message"}
        assert got.headers["x-amzn-requestid"]
        return got.status_code, got.headers.get("x-amzn-errortype")

    forged = replace_secret(everything)
    assert answer(path, service.credentials("profile:GetUploadJob", domains=("sh*",))) == (200, None)
    assert answer(path, None) == (403, "MissingAuthenticationTokenException")
    assert answer(path, forged) == (403, "InvalidSignatureException")
    assert answer(path, service.credentials("profile:GetDomain")) == (403, "AccessDeniedException")
    assert answer(path, service.credentials("*", domains=("other",))) == (403, "AccessDeniedException")
    assert answer(own_path(UNKNOWN_JOB, what), everything) == (404, "ResourceNotFoundException")
    assert answer(own_path(job_id, what, "nowhere"), everything) == (404, "ResourceNotFoundException")
    assert answer(own_path("no-such-job", what), everything) == (400, "BadRequestException")
    assert answer(own_path(job_id, what, "a%20b"), everything) == (400, "BadRequestException")
    assert answer(own_path(job_id, what, "%00"), everything) == (400, "BadRequestException")


def replace_secret(credentials: Credentials) -> Credentials:
    return Credentials(credentials.access_key, credentials.secret_key[::-1])


def test_a_read_only_credential_can_watch_a_job_and_read_its_failed_rows_but_start_none(service: Service) -> None:
    upload = service.upload()
    upload.put()
    failed = job_with_failed_rows(service, 1)
    reader = service.connect("profile:Get*")

    shown = reader.get_upload_job(DomainName="shop", JobId=upload.job_id)
    refused = [
        fault(lambda: reader.start_upload_job(DomainName="shop", JobId=upload.job_id)),
        fault(lambda: reader.stop_upload_job(DomainName="shop", JobId=upload.job_id)),
    ]
    rows = service.get(own_path(failed, "failed-rows"), service.credentials("profile:Get*"))

    assert shown["Status"] == "CREATED"
    assert [found[:2] for found in refused] == [("AccessDeniedException", 403)] * 2
    assert service.job(upload.job_id).status is UploadJobStatus.CREATED
    assert len(rows.json()["Items"]) == 1


def test_the_key_on_the_wire_is_the_key_that_the_store_keeps_wrapped(service: Service) -> None:
    upload = service.upload()
    job = service.job(upload.job_id)

    assert client_token(service.services.master_key, job) == upload.key
    assert job.client_token is not None
    assert upload.key not in job.client_token
