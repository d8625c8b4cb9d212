"""Uploaded files: the same promises for a folder and for a bucket of a real object store."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from openprofiles.clock import utc_now
from openprofiles.errors import FilesUnreachable
from openprofiles.master_key import MasterKey
from openprofiles.settings import S3Location, Settings, SettingsError, parse_files
from openprofiles.uploads.arrival.files import Files, change_owner, open_own_files
from openprofiles.uploads.arrival.local_files import LocalFiles
from openprofiles.uploads.arrival.s3_files import S3Files
from s3_server import S3Server

PART_BYTES = 16 << 20
# In the form that names of files have.
NEEDED, ORPHAN, FILE = (f"{digit * 32}.{digit * 16}" for digit in "123")
BUCKETS = (f"files-{number}" for number in itertools.count())


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Location:
    """A fresh bucket that this process can reach."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return S3Location(s3_server.create_bucket(next(BUCKETS)), "uploads/shop")


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "folder":
        return LocalFiles(tmp_path / "uploads")
    return S3Files(request.getfixturevalue("bucket"))


def write(files: Files, name: str, *pieces: bytes) -> None:
    file = files.create(name)
    for piece in pieces:
        assert file.write(piece) == len(piece)
    file.publish()


def read(files: Files, name: str, size_bytes: int = 1_000_000) -> bytes:
    with files.open(name) as file:
        return b"".join(iter(lambda: file.read(size_bytes), b""))


def is_there(files: Files, name: str) -> bool:
    try:
        with files.open(name) as file:
            file.read(1)
    except FileNotFoundError:
        return False
    return True


@pytest.mark.parametrize("size_bytes", [0, 1, 65_536, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 7])
def test_a_file_is_read_as_it_was_written(files: Files, size_bytes: int) -> None:
    content = bytes(range(256)) * (size_bytes // 256) + b"x" * (size_bytes % 256)

    write(files, FILE, content[: size_bytes // 3], content[size_bytes // 3 :])

    assert read(files, FILE) == content


def test_a_read_gives_as_many_bytes_as_were_asked_for_until_the_end(files: Files) -> None:
    write(files, FILE, b"x" * 200_000)

    with files.open(FILE) as file:
        sizes = [len(file.read(70_000)) for _ in range(4)]

    assert sizes == [70_000, 70_000, 60_000, 0]


def test_a_file_is_not_there_before_it_is_published(files: Files) -> None:
    file = files.create(FILE)
    file.write(b"x" * (PART_BYTES + 1))

    seen = is_there(files, FILE)
    file.publish()

    assert not seen
    assert is_there(files, FILE)


def test_a_discarded_file_leaves_nothing_behind(files: Files, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    file = files.create(FILE)
    file.write(b"x" * (PART_BYTES + 1))

    file.discard()

    assert not is_there(files, FILE)
    if isinstance(files, S3Files):
        server: S3Server = request.getfixturevalue("s3_server")
        bucket: S3Location = request.getfixturevalue("bucket")
        assert "Uploads" not in server.client().list_multipart_uploads(Bucket=bucket.bucket)
    else:
        assert list((tmp_path / "uploads").iterdir()) == []


def test_discarding_a_published_file_does_nothing(files: Files) -> None:
    file = files.create(FILE)
    file.write(b"x")
    file.publish()

    file.discard()

    assert is_there(files, FILE)


def test_a_file_is_removed_once_and_again(files: Files) -> None:
    write(files, FILE, b"x")
    write(files, "job.2", b"x")

    files.remove(FILE)
    files.remove(FILE)

    assert not is_there(files, FILE)
    assert is_there(files, "job.2")


def test_cleaning_keeps_what_is_needed_and_what_is_new(files: Files) -> None:
    write(files, NEEDED, b"x")
    write(files, ORPHAN, b"x")

    removed_now = files.remove_orphans({NEEDED}, utc_now())
    later = utc_now() + timedelta(minutes=5)
    # In a bucket, what nobody needs must have been seen before.
    removed_later = [files.remove_orphans({NEEDED}, later) for _ in range(2)]

    assert (removed_now, removed_later) == (0, [0, 1] if isinstance(files, S3Files) else [1, 0])
    assert is_there(files, NEEDED)
    assert not is_there(files, ORPHAN)


def test_cleaning_removes_what_a_dead_server_began(
    files: Files, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    file = files.create(FILE)
    file.write(b"x" * (PART_BYTES + 1))

    # The object store of the tests says of every such part that it was begun in 2010.
    removed_early = 0 if isinstance(files, S3Files) else files.remove_orphans(set(), utc_now() + timedelta(minutes=30))
    removed_late = files.remove_orphans(set(), utc_now() + timedelta(days=3, minutes=1))

    file.discard()
    assert (removed_early, removed_late) == (0, 1)
    if isinstance(files, S3Files):
        server: S3Server = request.getfixturevalue("s3_server")
        bucket: S3Location = request.getfixturevalue("bucket")
        assert "Uploads" not in server.client().list_multipart_uploads(Bucket=bucket.bucket)
    else:
        assert list((tmp_path / "uploads").iterdir()) == []


def test_files_of_two_stores_do_not_meet_in_one_bucket(bucket: S3Location, tmp_path: Path) -> None:
    one, other = MasterKey(b"1" * 32), MasterKey(b"2" * 32)
    settings = Settings(data_folder=tmp_path, files=bucket)
    files = open_own_files(settings, one)

    open_own_files(settings, one)
    with pytest.raises(SettingsError, match="belong to another store"):
        open_own_files(settings, other)
    elsewhere = open_own_files(Settings(data_folder=tmp_path, files=S3Location(bucket.bucket, "other")), other)
    write(files, FILE, b"x")

    assert [elsewhere.remove_orphans(set(), utc_now() + timedelta(days=1)) for _ in range(2)] == [0, 0]
    assert is_there(files, FILE)


def test_cleaning_leaves_what_is_not_a_file_of_this_store(s3_server: S3Server, bucket: S3Location) -> None:
    client = s3_server.client()
    above = S3Files(S3Location(bucket.bucket, "uploads"))
    others = [f"uploads/{ORPHAN}.backup", "uploads/report.csv", f"uploads/shop/{ORPHAN}", "uploads/shop/owner"]
    for key in others:
        client.put_object(Bucket=bucket.bucket, Key=key, Body=b"x")
    deeper = client.create_multipart_upload(Bucket=bucket.bucket, Key=f"uploads/shop/{FILE}")["UploadId"]
    write(above, ORPHAN, b"x")

    removed = [above.remove_orphans(set(), utc_now() + timedelta(days=30)) for _ in range(3)]

    assert removed == [0, 1, 0]
    found = client.list_objects_v2(Bucket=bucket.bucket)["Contents"]
    assert sorted(one["Key"] for one in found) == sorted(others)
    uploads = client.list_multipart_uploads(Bucket=bucket.bucket)["Uploads"]
    assert [one["UploadId"] for one in uploads] == [deeper]


@pytest.mark.parametrize("prefix", ["", "uploads"])
def test_a_place_that_holds_something_else_is_not_taken_for_files(
    s3_server: S3Server, bucket: S3Location, tmp_path: Path, prefix: str
) -> None:
    s3_server.client().put_object(Bucket=bucket.bucket, Key="uploads/invoices/1.pdf", Body=b"x")

    with pytest.raises(SettingsError, match="contains files that openprofiles did not write"):
        open_own_files(Settings(data_folder=tmp_path, files=S3Location(bucket.bucket, prefix)), MasterKey(b"1" * 32))

    keys = [one["Key"] for one in s3_server.client().list_objects_v2(Bucket=bucket.bucket)["Contents"]]
    assert keys == ["uploads/invoices/1.pdf"]


def test_the_mark_of_a_store_survives_its_cleaning(bucket: S3Location, tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path, files=bucket)
    files = open_own_files(settings, MasterKey(b"1" * 32))

    files.remove_orphans(set(), utc_now() + timedelta(days=1))

    with pytest.raises(SettingsError, match="belong to another store"):
        open_own_files(settings, MasterKey(b"2" * 32))


def test_files_go_with_a_changed_master_key(bucket: S3Location, tmp_path: Path) -> None:
    old, new, third = (MasterKey(digit * 32) for digit in (b"1", b"2", b"3"))
    settings = Settings(data_folder=tmp_path, files=bucket)
    open_own_files(settings, old)

    change_owner(settings, old, new)
    change_owner(settings, old, new)

    open_own_files(settings, new)
    with pytest.raises(SettingsError, match="belong to another store"):
        open_own_files(settings, old)
    with pytest.raises(SettingsError, match="belong to another store"):
        change_owner(settings, old, third)


def test_a_bucket_that_is_not_there_is_told_when_it_is_opened(bucket: S3Location, tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path, files=S3Location("nowhere", ""))

    with pytest.raises(SettingsError, match=r"s3://nowhere/ cannot be used: NoSuchBucket"):
        open_own_files(settings, MasterKey(b"1" * 32))


def test_an_object_store_that_is_away_is_told_when_it_is_opened(
    bucket: S3Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")

    with pytest.raises(SettingsError, match="cannot be used: EndpointConnectionError"):
        open_own_files(Settings(data_folder=tmp_path, files=bucket), MasterKey(b"1" * 32))


class CuttingProxy:
    """Passes connections on, and cuts each of the first few after so many bytes of its answer."""

    def __init__(self, port: int, *, cuts: int, after_bytes: int) -> None:
        self.cut_count = 0
        self._target = ("127.0.0.1", port)
        self._cuts = cuts
        self._after_bytes = after_bytes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server, suppress(OSError):
            threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()
            passed = 0
            while data := server.recv(65_536):
                client.sendall(data)
                passed += len(data)
                if passed > self._after_bytes and self.cut_count < self._cuts:
                    self.cut_count += 1
                    # At once, although another thread still listens on it.
                    client.shutdown(socket.SHUT_RDWR)
                    return


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)


@pytest.fixture
def cutting_proxy(s3_server: S3Server, bucket: S3Location, monkeypatch: pytest.MonkeyPatch) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(s3_server.port, cuts=3, after_bytes=1_000_000)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{proxy.port}")
    yield proxy
    proxy.close()


def test_a_file_whose_connection_breaks_is_read_on_from_there(cutting_proxy: CuttingProxy, bucket: S3Location) -> None:
    files = S3Files(bucket)
    content = bytes(range(251)) * 40_000
    write(files, FILE, content)

    seen = read(files, FILE, 300_000)

    assert cutting_proxy.cut_count == 3
    assert seen == content


def test_a_bucket_that_is_gone_is_unreachable_and_its_files_are_not_taken_for_removed(
    s3_server: S3Server, bucket: S3Location
) -> None:
    files = S3Files(bucket)
    with pytest.raises(FileNotFoundError), files.open(FILE):
        pass
    s3_server.client().delete_bucket(Bucket=bucket.bucket)

    with pytest.raises(FilesUnreachable), files.open(FILE):
        pass


def test_an_object_store_that_goes_away_is_told_as_unreachable(bucket: S3Location) -> None:
    server = S3Server()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in server.environment().items():
                patch.setenv(name, value)
            location = S3Location(server.create_bucket("files"), "")
            files = S3Files(location)
            write(files, FILE, b"x")
            half = files.create("job.2")
            half.write(b"x" * (PART_BYTES + 1))
    finally:
        server.stop()

    with pytest.raises(FilesUnreachable), files.open(FILE):
        pass
    with pytest.raises(FilesUnreachable):
        half.publish()
    half.discard()
    with pytest.raises(FilesUnreachable):
        files.remove(FILE)


@pytest.mark.parametrize(
    ("text", "bucket_name", "prefix"),
    [("s3://files", "files", ""), ("s3://files/", "files", ""), ("s3://my.files/a/b/", "my.files", "a/b")],
)
def test_files_are_named_by_bucket_and_prefix(text: str, bucket_name: str, prefix: str) -> None:
    assert parse_files(text) == S3Location(bucket_name, prefix)


@pytest.mark.parametrize("text", ["", "files", "/files", "s3://", "s3://F", "https://host/files", "s3://files?x=1"])
def test_files_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a valid location for uploaded files"):
        parse_files(text)
