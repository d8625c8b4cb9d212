"""The settings, and the paths of the files in a data folder.

Every setting is an option of the command line with an environment variable of the same name
(``--max-upload-size`` is ``OPENPROFILES_MAX_UPLOAD_SIZE``); there is no configuration file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit, urlunsplit

GIBIBYTE = 1024**3

# AWS accepts files "under 1 GB" (reference, U6).
_STRICT_MAX_UPLOAD_SIZE_BYTES = GIBIBYTE - 1

_REGION = re.compile(r"[a-z0-9-]{1,32}\Z")
_ACCOUNT_ID = re.compile(r"[0-9]{12}\Z")
_PHONE_REGION = re.compile(r"[A-Z]{2}\Z")
_FILES = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[A-Za-z0-9/_.=-]*))?")
_SMALLEST_MEMORY_LIMIT_BYTES = 100_000_000
_MOST_WORKERS = 64
_SETTING = "setting"


class SettingsError(Exception):
    """A setting cannot be used; the message names the setting, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class PostgresqlUrl:
    """A PostgreSQL database, as ``postgresql://user:password@host:port/database`` (libpq's form).

    Attributes:
        text: with the password, for the driver alone.
    """

    text: str = field(repr=False)

    def __str__(self) -> str:
        """Return the location, without user and password."""
        parts = urlsplit(self.text)
        query = "&".join(
            part for part in parts.query.split("&") if not part.startswith(("user=", "password=", "sslpassword="))
        )
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))

    @property
    def short_id(self) -> str:
        """Twelve hex digits that identify this database, independent of the connection parameters."""
        parts = urlsplit(str(self))
        host = parts.netloc.removesuffix(":5432")
        return hashlib.sha256(f"postgresql://{host}{parts.path}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class S3Location:
    """A bucket of an object store, and what the names of our objects there begin with."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(frozen=True, slots=True)
class Setting:
    """How a setting is given: as an option of the command line, or as an environment variable of the same name.

    Attributes:
        help_text: for people; names the default if it is None.
        kind: how a value is written.
        choices: the words for its values; those of a bool are for False and True.
        default_text: the default as people write it, if not as Python does.
        parse: reads a text that is more than a word or a number.
        of_worker: whether workers and loaders use it.
        is_secret: whether it may hold a password, so that it must not be part of a command line.
    """

    flag: str
    help_text: str
    kind: Literal["text", "number", "size", "file", "folder"] = "text"
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    default_text: str | None = None
    parse: Callable[[str], Any] | None = None
    of_worker: bool = False
    is_secret: bool = False

    @property
    def variable(self) -> str:
        """The name of its environment variable."""
        return "OPENPROFILES_" + self.flag.removeprefix("--").replace("-", "_").upper()

    def read_json(self, value: Any) -> Any:
        """Read a value from ``Settings.to_json``."""
        if value is None:
            return None
        if self.parse is not None:
            return self.parse(value)
        return Path(value) if self.kind in ("file", "folder") else value


def _setting(default: Any, flag: str, help_text: str, **more: Any) -> Any:
    """Build a field of ``Settings``; ``more`` are attributes of ``Setting``."""
    return field(default=default, metadata={_SETTING: Setting(flag, help_text, **more)})


def setting_of(name: str, settings: type[Settings] | None = None) -> Setting:
    """Return how the setting of this name is given."""
    (found,) = (one for one in fields(settings or Settings) if one.name == name)
    setting: Setting = found.metadata[_SETTING]
    return setting


def _to_json(value: Any) -> Any:
    if isinstance(value, PostgresqlUrl):
        return value.text
    return value if value is None or isinstance(value, (bool, int)) else str(value)


def parse_store(text: str) -> Path | PostgresqlUrl:
    """Parse the value of ``--store``.

    A SQLite file is named by its path or as ``sqlite:///path`` (``sqlite:////path`` if absolute), a PostgreSQL database
    by a URL of libpq's form.

    Raises:
        SettingsError: the text is a URL of another database, or names no file or database.
    """
    scheme, colon, _ = text.partition(":")
    if colon and scheme in ("postgresql", "postgres"):
        return _parse_postgresql(text)
    if not colon or "/" in scheme:
        path = text
    elif scheme == "sqlite":
        parts = urlsplit(text)
        _require(
            not parts.netloc and not parts.query and not parts.fragment and parts.path.startswith("/"),
            f"The store {text!r} is not a valid URL. Write sqlite:/// and a path, such as "
            "sqlite:///folder/openprofiles.db.",
        )
        path = unquote(parts.path[1:])
    else:
        # The text may hold a password, so it is not repeated.
        raise SettingsError(
            f"The store is a URL of the type {scheme!r}, which this version of openprofiles cannot use. "
            "Give the path of a SQLite file, sqlite:///path, or postgresql://user@host/database."
        )
    _require(bool(path) and path != ":memory:", "The store has no path. Give the path of a SQLite file.")
    return Path(path)


def parse_files(text: str) -> S3Location:
    """Parse the value of ``--files``: ``s3://bucket/prefix``, where the prefix is optional.

    Raises:
        SettingsError: the text is of another form.
    """
    match = _FILES.fullmatch(text)
    if match is None:
        raise SettingsError(f"{text!r} is not a valid location for uploaded files. Write s3://bucket/prefix.")
    return S3Location(match["bucket"], (match["prefix"] or "").strip("/"))


def _parse_postgresql(text: str) -> PostgresqlUrl:
    # The text may hold a password, so it is not repeated.
    try:
        parts = urlsplit(text)
        is_whole = bool(parts.path.strip("/")) and not parts.fragment and (parts.port is None or parts.port > 0)
    except ValueError:
        is_whole = False
    _require(is_whole, "The store is not a valid URL. Write postgresql://user:password@host:5432/database.")
    return PostgresqlUrl(text)


def _check_public_url(url: str) -> str:
    parts = urlsplit(url)
    _require(
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and parts.username is None
        and parts.path in ("", "/")
        and not parts.query
        and not parts.fragment,
        "The public URL must be http:// or https:// with a host and optionally a port, such as "
        "https://profiles.example.com.",
    )
    return url.rstrip("/")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise SettingsError(message)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process.

    A new setting is declared here, and given by ``settings_options`` to the commands that use it; workers and loaders
    get it by themselves.

    Attributes:
        data_folder: holds everything of one installation: store, key, uploaded files, scratch files.
        store: the SQLite file or PostgreSQL database, or None for ``openprofiles.db`` in the data folder.
        files: the bucket for uploaded files, or None for a folder next to the store.
        master_key: the file with the master key, or None for ``master.key`` in the data folder.
        public_url: how clients reach this server when it is not by the Host they send, without a slash at the end.
        workers: worker processes that ``serve`` starts; 0 leaves the jobs to ``openprofiles worker``.
        compat_strict: hold callers to AWS's own limits.
        max_upload_size_bytes: largest file that an upload takes; below 1 GiB if ``compat_strict``.
        phone_region: country (ISO 3166) whose phone numbers new domains read without a country code.
        memory_limit_bytes: what a load may hold in memory before it spills to disk.
        failed_rows_days: how long after the end of a job its failed rows are kept.
        undo_days: how long after its end a job can be undone; 0 keeps nothing for that.
        history_days: how long the log of changes of profiles is kept.
        history_content_days: how long the values that a change has replaced are kept in it, if longer than for undo.
        export_folder: below which exports may write, or None for no folder.
        webhook_private_addresses: whether webhooks may lead to addresses that are not of the open Internet.

    Raises:
        SettingsError: a value is out of range.
    """

    data_folder: Path = _setting(
        Path("openprofiles-data"),
        "--data",
        "Folder for all data: the store, keys, uploaded files.",
        kind="folder",
        metavar="FOLDER",
        of_worker=True,
    )
    store: Path | PostgresqlUrl | None = _setting(
        None,
        "--store",
        "The store: a SQLite file, as a path or sqlite:///path, or a PostgreSQL database, as "
        "postgresql://user@host/database.  [default: openprofiles.db in --data]",
        metavar="FILE|URL",
        parse=parse_store,
        of_worker=True,
        is_secret=True,
    )
    files: S3Location | None = _setting(
        None,
        "--files",
        "Bucket for uploaded files, as s3://bucket/prefix, for servers and workers on several hosts. "
        "[default: a folder next to the store]",
        metavar="URL",
        parse=parse_files,
        of_worker=True,
    )
    master_key: Path | None = _setting(
        None,
        "--master-key",
        "File with the master key, which servers and workers on several hosts share.  "
        "[default: master.key in --data, which the first start creates]",
        kind="file",
        metavar="FILE",
        of_worker=True,
    )
    host: str = _setting("127.0.0.1", "--host", "Address to listen on; 0.0.0.0 means all addresses of this machine.")
    port: int = _setting(8420, "--port", "Port to listen on; 0 picks a free one.", kind="number")
    public_url: str | None = _setting(
        None,
        "--public-url",
        "Address at which clients reach this server; upload URLs begin with it.  "
        "[default: the Host header of the request]",
        metavar="URL",
    )
    workers: int = _setting(
        1,
        "--workers",
        "Worker processes to start; 0 to run `openprofiles worker` yourself. With SQLite, 1 at most.",
        kind="number",
    )
    region: str = _setting("us-east-1", "--region", "AWS region of this server, in ARNs and in `openprofiles env`.")
    account_id: str = _setting("123456789012", "--account-id", "AWS account id in ARNs, 12 digits.")
    compat_strict: bool = _setting(
        False,
        "--compat",
        "strict applies AWS's limits, such as 25 mapped fields, a data expiry of at most 90 days, and "
        "files under 1 GB.",
        choices=("generous", "strict"),
        of_worker=True,
    )
    max_upload_size_bytes: int = _setting(
        10 * GIBIBYTE,
        "--max-upload-size",
        "Largest file that an upload job accepts, both as sent and unpacked.",
        kind="size",
        default_text="10GiB",
        of_worker=True,
    )
    upload_url_lifetime_seconds: int = _setting(
        900,
        "--upload-url-lifetime",
        "How long an upload URL can be used to begin the upload.",
        kind="number",
        metavar="SECONDS",
    )
    phone_region: str = _setting(
        "US",
        "--phone-region",
        "Country (ISO 3166, two letters) of phone numbers without a country code, for new domains.",
    )
    memory_limit_bytes: int = _setting(
        256_000_000,
        "--memory-limit",
        "Memory that a load may use before it writes to disk.",
        kind="size",
        default_text="256MB",
        of_worker=True,
    )
    failed_rows_days: int = _setting(
        30,
        "--failed-rows-days",
        "How long failed rows are kept after the upload job ends.",
        kind="number",
        metavar="DAYS",
        of_worker=True,
    )
    undo_days: int = _setting(
        7,
        "--undo-days",
        "How long an upload job can be undone after it ends; 0 turns undo off.",
        kind="number",
        metavar="DAYS",
        of_worker=True,
    )
    history_days: int = _setting(
        365,
        "--history-days",
        "How long the history of profiles is kept.",
        kind="number",
        metavar="DAYS",
        of_worker=True,
    )
    history_content_days: int = _setting(
        0,
        "--history-content-days",
        "How long the history of profiles keeps the values that changes have replaced, if longer than --undo-days.",
        kind="number",
        metavar="DAYS",
        of_worker=True,
    )
    export_folder: Path | None = _setting(
        None,
        "--export-folder",
        "Folder below which segments may be exported, with destinations such as file:///folder/march.  [default: "
        "segments are exported to buckets only]",
        kind="folder",
        metavar="FOLDER",
        of_worker=True,
    )
    webhook_private_addresses: bool = _setting(
        False,
        "--webhook-private-addresses",
        "Allow webhooks to addresses on this machine and on private networks. By default they are refused.",
        of_worker=True,
    )
    log_format: str = _setting(
        "text", "--log-format", "Format of the log on standard error.", choices=("text", "json"), of_worker=True
    )

    @property
    def replaced_values_days(self) -> int:
        """How long the values that a change of a profile has replaced are kept; 0 keeps none."""
        return max(self.undo_days, self.history_content_days)

    @property
    def log_days(self) -> int:
        """How long the log of changes is kept: at least as long as the values, which are found through it."""
        return max(self.history_days, self.replaced_values_days)

    def to_json(self) -> dict[str, Any]:
        """Make what ``from_json`` reads in another process of ours; it may hold the password of the store."""
        return {one.name: _to_json(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read the result of ``to_json``."""
        return cls(**{name: setting_of(name, cls).read_json(value) for name, value in stored.items()})

    def __post_init__(self) -> None:
        _require(0 <= self.port <= 65535, f"The port {self.port} is not between 0 and 65535.")
        _require(
            self.workers in (0, 1) or isinstance(self.store, PostgresqlUrl),
            f"A SQLite store cannot have {self.workers} workers, since only one can write to it. Use 0 or 1.",
        )
        _require(
            0 <= self.workers <= _MOST_WORKERS,
            f"The number of workers, {self.workers}, is not between 0 and {_MOST_WORKERS}.",
        )
        _require(
            bool(_REGION.match(self.region)),
            f"The region {self.region!r} is not valid. Write a region such as us-east-1.",
        )
        _require(bool(_ACCOUNT_ID.match(self.account_id)), "The account id must have 12 digits.")
        _require(
            bool(_PHONE_REGION.match(self.phone_region)),
            f"The phone region {self.phone_region!r} is not a two-letter country code in capitals, such as US or DE.",
        )
        _require(
            self.log_format in ("text", "json"), f"The log format {self.log_format!r} is not valid. Use text or json."
        )
        _require(self.max_upload_size_bytes > 0, "The largest upload size must be more than 0 bytes.")
        _require(
            1 <= self.upload_url_lifetime_seconds <= 604_800,
            "The lifetime of upload URLs must be between 1 second and 7 days (604800 seconds).",
        )
        _require(
            self.memory_limit_bytes >= _SMALLEST_MEMORY_LIMIT_BYTES,
            "The memory limit for loads must be at least 100 MB.",
        )
        _require(1 <= self.failed_rows_days <= 3650, "Failed rows can be kept for 1 to 3650 days.")
        _require(0 <= self.undo_days <= 3650, "A job can be undone for 0 to 3650 days.")
        _require(
            1 <= self.history_days <= 3650 and 0 <= self.history_content_days <= 3650,
            "The history of profiles can be kept for 1 to 3650 days, and the values in it for 0 to 3650 days.",
        )
        if self.public_url is not None:
            object.__setattr__(self, "public_url", _check_public_url(self.public_url))
        if self.compat_strict:
            strict_size_bytes = min(self.max_upload_size_bytes, _STRICT_MAX_UPLOAD_SIZE_BYTES)
            object.__setattr__(self, "max_upload_size_bytes", strict_size_bytes)
        # A worker is started with another working folder in mind than the one that wrote the setting.
        object.__setattr__(self, "data_folder", self.data_folder.absolute())
        if isinstance(self.store, Path):
            object.__setattr__(self, "store", self.store.absolute())
        if self.master_key is not None:
            object.__setattr__(self, "master_key", self.master_key.absolute())

    @property
    def store_path(self) -> Path:
        """The SQLite file with everything that is stored. Only where ``store`` is not a PostgreSQL database."""
        if isinstance(self.store, PostgresqlUrl):
            raise TypeError("a PostgreSQL store has no file")
        return self.store or self._own_store_path

    @property
    def store_name(self) -> str:
        """The store, for people: without a password."""
        return str(self.store) if isinstance(self.store, PostgresqlUrl) else str(self.store_path)

    @property
    def store_argument(self) -> str:
        """The store as ``parse_store`` reads it, with its password."""
        return self.store.text if isinstance(self.store, PostgresqlUrl) else str(self.store_path)

    @property
    def _own_store_path(self) -> Path:
        return self.data_folder / "openprofiles.db"

    def _folder_of_store(self, name: str) -> Path:
        # A store elsewhere keeps its files next to it: cleaning removes the files that a store does not need, and those
        # must not belong to another store.
        if isinstance(self.store, PostgresqlUrl):
            return self.data_folder / f"postgresql-{self.store.short_id}-{name}"
        is_own = self.store_path == self._own_store_path
        return self.data_folder / name if is_own else self.store_path.with_name(f"{self.store_path.name}-{name}")

    @property
    def uploads_folder(self) -> Path:
        """Where files that callers upload wait, encrypted, until their job ends. Not used where ``files`` is set."""
        return self._folder_of_store("uploads")

    @property
    def scratch_folder(self) -> Path:
        """Where a running load keeps its scratch database."""
        return self._folder_of_store("scratch")

    @property
    def store_lock_path(self) -> Path:
        """The lock file of a SQLite store that is in use; see ``store.use``."""
        return self.store_path.with_name(f"{self.store_path.name}.lock")

    @property
    def slots_folder(self) -> Path:
        """Where the workers of one data folder agree how many loads run at once."""
        return self.data_folder / "slots"

    @property
    def heartbeat_path(self) -> Path:
        """Where workers mark that they are at work."""
        return self.slots_folder / "heartbeat"

    @property
    def master_key_path(self) -> Path:
        return self.master_key or self.data_folder / "master.key"

    @property
    def endpoint_path(self) -> Path:
        """Where the server that runs on this data folder writes its address."""
        return self.data_folder / "endpoint.json"

    @property
    def admin_credential_path(self) -> Path:
        return self.data_folder / "admin-credential.json"


def settings_of_server() -> tuple[str, ...]:
    """List the names of the settings that ``serve`` takes: all."""
    return tuple(one.name for one in fields(Settings))


def settings_of_worker() -> tuple[str, ...]:
    """List the names of the settings that workers use."""
    return tuple(one.name for one in fields(Settings) if setting_of(one.name).of_worker)
