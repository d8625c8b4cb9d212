"""Where exports go: a bucket, or a folder below the one that the operator has allowed.

A destination is ``s3://bucket/prefix`` or ``file:///folder``. Every destination gets a small test file first, as in
AWS, so that a wrong one fails before the work.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from openprofiles.errors import InvalidRequest
from openprofiles.settings import S3Location, SettingsError, parse_files

TEST_FILE = "customer-profiles-test-file"


class ExportFailed(Exception):
    """A destination does not take the files; the message says why, and has no keys in it."""


class Destination(Protocol):
    """A place for the files of one export. Methods raise ``ExportFailed``."""

    def put_text(self, name: str, text: str) -> None:
        """Write a small file, replacing one of this name; ``name`` may have slashes."""

    def put_file(self, name: str, file: Path) -> None:
        """Write a copy of a file, replacing one of this name."""


def check_destination(uri: str, export_folder: Path | None) -> None:
    """Check that exports may go to a destination.

    Args:
        export_folder: below which folders may be named; None: no folder is allowed.

    Raises:
        InvalidRequest: the destination has another form, or is not allowed.
    """
    if _is_file(uri):
        _folder_of(uri, export_folder)
    else:
        _bucket_of(uri)
        if find_spec("boto3") is None:
            raise InvalidRequest("This server cannot export to buckets: install openprofiles[s3], which brings boto3.")


def open_destination(uri: str, export_folder: Path | None, *, encryption_key: str | None) -> Destination:
    """Open a destination.

    Args:
        encryption_key: the id of a key of AWS KMS that a bucket encrypts the files with.

    Raises:
        InvalidRequest: see ``check_destination``.
    """
    if _is_file(uri):
        return _Folder(_folder_of(uri, export_folder))
    from openprofiles.segments.exports.s3_destination import S3Destination

    return S3Destination(_bucket_of(uri), encryption_key)


def folder_of_destination(uri: str, export_folder: Path | None) -> Path | None:
    """Return the folder of a destination; None if it is a bucket.

    Raises:
        InvalidRequest: see ``check_destination``.
    """
    return _folder_of(uri, export_folder) if _is_file(uri) else None


def _is_file(uri: str) -> bool:
    return uri.startswith("file:")


def _bucket_of(uri: str) -> S3Location:
    try:
        return parse_files(uri)
    except SettingsError:
        raise InvalidRequest(
            "DestinationUri must be s3://bucket or s3://bucket/prefix, or file:///folder if the server allows folders."
        ) from None


def _folder_of(uri: str, export_folder: Path | None) -> Path:
    if export_folder is None:
        raise InvalidRequest(
            "This server does not export to folders. Use s3://bucket/prefix, or start the server with --export-folder."
        )
    allowed = export_folder.resolve()
    try:
        parts = urlsplit(uri)
        path = unquote(parts.path, errors="strict")
        is_plain = parts.netloc in ("", "localhost") and path.isprintable() and not parts.query and not parts.fragment
        # As it is reached, so that neither .. nor a link leads elsewhere.
        if is_plain and path.startswith("/") and (folder := Path(path).resolve()).is_relative_to(allowed):
            return folder
    except (ValueError, OSError):
        # Not an address, or a loop of links.
        pass
    raise InvalidRequest(f"DestinationUri must be a folder below file://{allowed}, which this server allows.")


class _Folder:
    """See ``Destination``. A file appears under its name when it is complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put_text(self, name: str, text: str) -> None:
        self._put(name, lambda target: target.write_text(text, encoding="utf-8"))

    def put_file(self, name: str, file: Path) -> None:
        self._put(name, lambda target: shutil.copyfile(file, target))

    def _put(self, name: str, write: Callable[[Path], object]) -> None:
        target = self._folder / name
        unfinished = target.with_name(f"{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write(unfinished)
            unfinished.replace(target)
        except OSError as error:
            raise ExportFailed(f"The folder {self._folder} cannot be written: {error.strerror}.") from error
