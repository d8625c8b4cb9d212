from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from openprofiles.data_folder import prepare_data_folder, refuse_network_file_system, write_private_file
from openprofiles.settings import GIBIBYTE, PostgresqlUrl, Settings, SettingsError, parse_store


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("customers.db", "customers.db"),
        ("/srv/customers.db", "/srv/customers.db"),
        ("sqlite:///customers.db", "customers.db"),
        ("sqlite:////srv/my%20customers.db", "/srv/my customers.db"),
    ],
)
def test_a_store_is_named_by_a_path_or_a_sqlite_url(text: str, path: str) -> None:
    assert parse_store(text) == Path(path)


@pytest.mark.parametrize("text", ["mysql://joe:geheim@db/customers", "mysql:x", "oracle:"])
def test_a_store_of_another_kind_is_refused_without_repeating_its_password(text: str) -> None:
    with pytest.raises(SettingsError, match=r"which this version of openprofiles cannot use\. Give the path") as caught:
        parse_store(text)

    assert text.partition(":")[0] in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_postgresql_database_is_named_by_its_url_and_shown_without_user_and_password() -> None:
    url = parse_store("postgresql://joe:geheim@db.example:5433/customers?password=geheim&sslmode=require")

    assert isinstance(url, PostgresqlUrl)
    assert url.text == "postgresql://joe:geheim@db.example:5433/customers?password=geheim&sslmode=require"
    assert str(url) == "postgresql://db.example:5433/customers?sslmode=require"
    assert "geheim" not in repr(Settings(store=url))


@pytest.mark.parametrize("text", ["postgresql:", "postgres://joe:geheim@db", "postgresql://joe:geheim@db:port/x"])
def test_a_postgresql_url_that_names_no_database_is_refused_without_repeating_its_password(text: str) -> None:
    with pytest.raises(SettingsError, match=r"is not a valid URL\. Write postgresql://") as caught:
        parse_store(text)

    assert "geheim" not in str(caught.value)


def test_a_postgresql_store_may_have_many_workers_and_keeps_its_files_apart(tmp_path: Path) -> None:
    one = Settings(data_folder=tmp_path, store=PostgresqlUrl("postgresql://joe:geheim@db/one"), workers=8)
    same = Settings(data_folder=tmp_path, store=PostgresqlUrl("postgresql://ann:secret@db:5432/one?sslmode=require"))
    other = Settings(data_folder=tmp_path, store=PostgresqlUrl("postgresql://joe:geheim@db/other"))

    assert one.uploads_folder == same.uploads_folder
    assert len({one.uploads_folder, other.uploads_folder, Settings(data_folder=tmp_path).uploads_folder}) == 3
    assert one.store_name == "postgresql://db/one"


@pytest.mark.parametrize(
    "text", ["", "sqlite:", "sqlite://", "sqlite:///", ":memory:", "sqlite:///:memory:", "sqlite://host/a.db"]
)
def test_a_store_that_names_no_file_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_store(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 65536),
        ("port", -1),
        ("workers", 2),
        ("workers", -1),
        ("region", "US East"),
        ("account_id", "12345678901"),
        ("phone_region", "us"),
        ("log_format", "xml"),
        ("max_upload_size_bytes", 0),
        ("upload_url_lifetime_seconds", 0),
        ("memory_limit_bytes", 99_999_999),
        ("public_url", "profiles.example.com"),
        ("public_url", "https://user@profiles.example.com"),
        ("public_url", "https://profiles.example.com/path"),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(SettingsError):
        replace(Settings(), **{name: value})  # type: ignore[arg-type]


def test_a_public_url_is_kept_without_its_last_slash() -> None:
    settings = Settings(public_url="https://profiles.example.com:8443/")

    assert settings.public_url == "https://profiles.example.com:8443"


def test_strict_compatibility_holds_uploads_below_one_gibibyte() -> None:
    assert Settings().max_upload_size_bytes == 10 * GIBIBYTE
    assert Settings(compat_strict=True).max_upload_size_bytes == GIBIBYTE - 1
    assert Settings(compat_strict=True, max_upload_size_bytes=5).max_upload_size_bytes == 5


def test_a_new_data_folder_can_be_entered_by_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path / "new" / "data")

    prepare_data_folder(settings)

    assert mode_of(settings.data_folder) == 0o700
    assert mode_of(settings.uploads_folder) == 0o700
    assert mode_of(settings.scratch_folder) == 0o700


def test_an_empty_folder_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)

    prepare_data_folder(Settings(data_folder=folder))

    assert mode_of(folder) == 0o700


def test_a_folder_with_foreign_files_that_others_can_read_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "letter.txt").write_text("hello")

    with pytest.raises(SettingsError, match="contains other files"):
        prepare_data_folder(Settings(data_folder=folder))

    assert mode_of(folder) == 0o755
    assert [entry.name for entry in folder.iterdir()] == ["letter.txt"]


def test_a_data_folder_that_is_a_file_is_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")

    with pytest.raises(SettingsError, match=f"The data folder {path} cannot be used"):
        prepare_data_folder(Settings(data_folder=path))


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_folder_on_a_network_file_system_is_refused(tmp_path: Path, kind: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/sda / ext4 rw 0 0\nserver:/x /mnt/big\\040disk {kind} rw 0 0\ntmpfs /mnt/local tmpfs rw 0 0\n"
    )

    with pytest.raises(SettingsError, match="network file system"):
        refuse_network_file_system(Path("/mnt/big disk/data"), mounts)

    refuse_network_file_system(Path("/mnt/big disks/data"), mounts)
    refuse_network_file_system(Path("/mnt/local/data"), mounts)


def test_a_local_disk_mounted_inside_a_network_file_system_is_accepted(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("server:/x /mnt nfs rw 0 0\n/dev/sdb /mnt/disk ext4 rw 0 0\n")

    refuse_network_file_system(Path("/mnt/disk/data"), mounts)

    with pytest.raises(SettingsError):
        refuse_network_file_system(Path("/mnt/data"), mounts)


def test_a_private_file_is_readable_by_its_owner_only_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private_file(tmp_path / "secret", b"one")
        write_private_file(tmp_path / "secret", b"two")
    finally:
        os.umask(before)

    assert (tmp_path / "secret").read_bytes() == b"two"
    assert mode_of(tmp_path / "secret") == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_a_store_elsewhere_keeps_its_files_beside_it_so_that_two_stores_of_one_folder_share_none(
    tmp_path: Path,
) -> None:
    own = Settings(data_folder=tmp_path)
    named = Settings(data_folder=tmp_path, store=tmp_path / "openprofiles.db")
    other = Settings(data_folder=tmp_path, store=tmp_path / "elsewhere" / "other.db")

    assert (own.uploads_folder, own.scratch_folder) == (tmp_path / "uploads", tmp_path / "scratch")
    assert (named.uploads_folder, named.scratch_folder) == (own.uploads_folder, own.scratch_folder)
    assert other.uploads_folder == tmp_path / "elsewhere" / "other.db-uploads"
    assert other.scratch_folder == tmp_path / "elsewhere" / "other.db-scratch"
