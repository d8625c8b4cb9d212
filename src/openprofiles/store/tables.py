"""The tables of the profile database, for every engine.

Times are whole milliseconds since 1970, in UTC; a person reads them with ``datetime(created_at / 1000,
'unixepoch')``. A change here needs a migration in ``migrations/versions``; a test compares the two.

Each table says what owns its rows (``owned_rows``), and stands after the tables that its rows belong to: the rows of a
deleted domain are removed in the reverse order.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    event,
    literal_column,
    text,
)
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.types import TypeEngine

from openprofiles.clock import LAST_MOMENT_MS, from_milliseconds, to_milliseconds
from openprofiles.facts.standard_profile import FIELDS
from openprofiles.store.change_actions import IS_REMOVAL_SQL
from openprofiles.store.owned_rows import Kept, Owner, owned_by, owned_rows


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept as whole milliseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        return None if value is None else to_milliseconds(value)

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else from_milliseconds(value)


class BinaryJson(TypeDecorator[Any]):
    """A JSON object that PostgreSQL keeps as ``jsonb``, which it reads members from without parsing a text.

    ``jsonb`` has an order of members, and a spelling, of its own.
    """

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON(none_as_null=True))
        # Not imported above: each process would spend 30 ms loading it.
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB(none_as_null=True))


# SQLite makes a column the row number only when its type is exactly INTEGER.
RowNumber = BigInteger().with_variant(Integer, "sqlite")

# Compared byte by byte, so that the order of an index is the one in which a load sorts, whatever the database's
# language. SQLite does so anyway.
ByteOrderedText = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData()
# In the info of an index: the condition of one that is partial on PostgreSQL alone.
_ONLY_ON_POSTGRESQL = "only on PostgreSQL"


@event.listens_for(metadata, "before_create")
def _make_indexes_partial(_metadata: MetaData, connection: Connection, **_more: object) -> None:
    """Limit the partial indexes on PostgreSQL as on SQLite.

    If the tables named its dialect, each process would spend 30 ms loading it.
    """
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.tables.values():
        for index in table.indexes:
            on_both = index.dialect_kwargs.get("sqlite_where")
            condition = index.info.get(_ONLY_ON_POSTGRESQL) if on_both is None else on_both
            if condition is not None:
                index.dialect_kwargs["postgresql_where"] = condition


# Row numbers come from here, reserved by range, and are never used twice: a load reserves one number per
# record of its file before it writes, while the API continues to create profiles.
row_sequence = Table(
    "row_sequence",
    metadata,
    Column("name", ByteOrderedText, primary_key=True),
    Column("next_value", BigInteger, nullable=False),
    info=owned_by(Owner.STORE, "one"),
)

domain = Table(
    "domain",
    metadata,
    Column("domain_id", RowNumber, primary_key=True, autoincrement=True),
    Column("name", ByteOrderedText, nullable=False),
    # The members of CreateDomain that are stored and given back as they came (Matching, DataStore, ...).
    Column("config", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("default_expiration_days", Integer, nullable=False),
    # ISO 3166 country whose phone numbers are written without a country code; fixed at creation, since
    # changing it would change the normal form of keys that are already stored.
    Column("phone_region", Text, nullable=False),
    Column("profile_count", BigInteger, nullable=False, server_default=text("0")),
    # Of the last change of its profiles or their keys: see profile_change. A load that sees more than its own changes
    # looks its chunk's keys and profiles up again.
    Column("change_number", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("deleted_at", Moment),
    # Of the last change by which profiles were deleted whose values are forgotten in undo images too.
    Column("forgotten_number", BigInteger, nullable=False, server_default=text("0")),
    # Of profile objects, standard objects among them.
    Column("object_count", BigInteger, nullable=False, server_default=text("0")),
    # What the unique keys of objects are computed with, so that nobody guesses an email address from one. Never null,
    # but a migration cannot add a column without nulls.
    Column("object_salt", LargeBinary),
    sqlite_autoincrement=True,
    info=owned_by(Owner.DOMAIN, "few"),
)
Index(
    "domain_name",
    domain.c.name,
    unique=True,
    sqlite_where=domain.c.deleted_at.is_(None),
)

# A field that is not a standard key, but that some upload job used as its unique key: indexed from then on.
indexed_field = Table(
    "indexed_field",
    metadata,
    Column("domain_id", BigInteger, ForeignKey("domain.domain_id"), primary_key=True),
    Column("path", ByteOrderedText, primary_key=True),
    # Whether the profiles that were stored before are in the index too.
    Column("is_built", Boolean, nullable=False),
    info=owned_by(Owner.DOMAIN, "few"),
)

profile = Table(
    "profile",
    metadata,
    Column("pid", RowNumber, primary_key=True, autoincrement=False),
    Column("domain_id", BigInteger, nullable=False),
    Column("profile_id", Text, nullable=False),
    *(Column(field.column, Text) for field in FIELDS),
    Column("attributes", BinaryJson()),
    Column("engagement_preferences", JSON(none_as_null=True)),
    # Paths of the fields set through the API or the console, as a sorted list; null when all came from files.
    Column("origins", JSON(none_as_null=True)),
    Column("revision", BigInteger, nullable=False, server_default=text("1")),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("last_upload_job", BigInteger),
    # Which objects have given which fields (FieldSource): a list of [object number, object type, time of the
    # ingestion, time at the source or null, [paths]]; null if none has.
    Column("sources", JSON(none_as_null=True)),
    # Null if it never had an object.
    Column("object_count", Integer),
    info=owned_by(Owner.DOMAIN, "one for each profile", is_distributed=True),
)
# True of all profiles: a query with this condition may use the index on expiry. Without the condition, PostgreSQL would
# use it to find a profile by its number in a domain that is newer than its statistics, and read the whole domain.
FOR_EXPIRY_INDEX = profile.c.expires_at < literal_column(str(LAST_MOMENT_MS))
# For expiry, for removing a domain's data and for counting; a load appends to it in order.
Index("profile_expiry", profile.c.domain_id, profile.c.expires_at, info={_ONLY_ON_POSTGRESQL: FOR_EXPIRY_INDEX})

profile_key = Table(
    "profile_key",
    metadata,
    Column("domain_id", BigInteger, primary_key=True),
    Column("name", ByteOrderedText, primary_key=True),
    Column("value", ByteOrderedText, primary_key=True),
    Column("pid", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
    info=owned_by(Owner.DOMAIN, "3 to 8 for each profile", is_distributed=True),
)

# Keys that something has given a profile, whatever its fields hold: no change of a field takes them away.
held_key = Table(
    "held_key",
    metadata,
    Column("pid", BigInteger, primary_key=True),
    Column("name", ByteOrderedText, primary_key=True),
    Column("value", ByteOrderedText, primary_key=True),
    # What holds it: "hand" (AddProfileKey), or "o" and the number of an object. It stays while anything holds it.
    Column("holder", ByteOrderedText, primary_key=True),
    sqlite_with_rowid=False,
    info=owned_by(Owner.PROFILE, "one for each key that AddProfileKey added, and for each key of an object"),
)

# The log of changes: a row for each call that writes to profiles, and for each chunk of a job. The row of the domain
# gives the numbers out, so they have no gaps, and become visible in their order.
profile_change = Table(
    "profile_change",
    metadata,
    Column("domain_id", BigInteger, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("changed_at", Moment, nullable=False),
    # A ChangeAction.
    Column("action", Text, nullable=False),
    # The ARN of the caller, or the service's name where profiles expired. Null: the job.
    Column("actor", Text),
    Column("job_number", BigInteger),
    # The row numbers of the profiles: the lowest, the highest, how many, and a list of them, which is empty
    # if they are all from the lowest to the highest (row_number_lists).
    Column("first_pid", BigInteger, nullable=False),
    Column("last_pid", BigInteger, nullable=False),
    Column("profile_count", BigInteger, nullable=False),
    Column("pids", LargeBinary, nullable=False),
    # The name of the object type, if an object was ingested or deleted.
    Column("object_type", Text),
    sqlite_with_rowid=False,
    info=owned_by(
        Owner.DOMAIN,
        "one for each call that changes profiles, and for each chunk of a job",
        is_distributed=True,
        rows_at_once=200,
    ),
)
# Few are of many profiles, so all of them are looked through for one profile.
Index(
    "profile_change_of_one",
    profile_change.c.domain_id,
    profile_change.c.first_pid,
    profile_change.c.number,
    sqlite_where=profile_change.c.profile_count == text("1"),
)
Index(
    "profile_change_of_many",
    profile_change.c.domain_id,
    profile_change.c.first_pid,
    profile_change.c.last_pid,
    profile_change.c.number,
    sqlite_where=profile_change.c.profile_count > text("1"),
)
Index(
    "profile_change_removed",
    profile_change.c.domain_id,
    profile_change.c.number,
    sqlite_where=text(IS_REMOVAL_SQL),
)

# What a call has changed, as JSON; what a chunk has changed is in undo_image. An update: {path: the value before it, or
# null}; a change of keys: their name and values.
change_content = Table(
    "change_content",
    metadata,
    Column("domain_id", BigInteger, primary_key=True),
    # Of the change.
    Column("number", BigInteger, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    info=owned_by(
        Owner.DOMAIN,
        "one for each call that changes values or keys of a profile, for 7 days",
        is_distributed=True,
        rows_at_once=200,
    ),
)

# What every kind of job has. What only one kind has is in a table of its own (job_kinds.JobKind.details), whose rows go
# with these.
job = Table(
    "job",
    metadata,
    # Never used again: profiles name the job that wrote them last.
    Column("job_number", RowNumber, primary_key=True, autoincrement=True),
    Column("job_id", Text, nullable=False, unique=True),
    Column("domain_id", BigInteger, ForeignKey("domain.domain_id"), nullable=False),
    # One of job_kinds.KINDS. A worker that does not know it leaves the job to others.
    Column("kind", Text, nullable=False),
    # The job that a preview or an undo is of.
    Column("subject", BigInteger),
    Column("status", Text, nullable=False),
    Column("status_reason", Text),
    # Why the job failed, for people; never a customer's value.
    Column("failure_message", Text),
    Column("created_at", Moment, nullable=False),
    # No worker begins it before; null once one has.
    Column("not_before", Moment),
    Column("started_at", Moment),
    Column("completed_at", Moment),
    Column("stop_requested_at", Moment),
    # How far the work is, and, unless the kind's counts say it, how much of the present step is done and how much there
    # is, in the unit of the step.
    Column("phase", Text),
    Column("position", BigInteger, nullable=False, server_default=text("0")),
    Column("done", BigInteger),
    Column("total", BigInteger),
    # When the present step began (job_kinds.ShownStep); null: none has, or an earlier version is at it.
    Column("step_started_at", Moment),
    # How long each step took, {step: milliseconds}, written at the end; what a loader did that died is not in it.
    Column("step_milliseconds", JSON(none_as_null=True)),
    # The lease: who runs the job, until when, and how often it was claimed. Every write of a loader names
    # owner and epoch and gives up when they are no longer its own.
    Column("lease_owner", Text),
    Column("lease_until", Moment),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("failed_attempts", Integer, nullable=False, server_default=text("0")),
    # What its caller sent to be safe to repeat: a token with the request that made the job, the digest of that request
    # (uploads.idempotency), and a token with the one that started it. Null: none was sent.
    Column("create_token", Text),
    Column("create_digest", Text),
    Column("start_token", Text),
    # How many of the domain's changes are this job's.
    Column("change_count", BigInteger, nullable=False, server_default=text("0")),
    sqlite_autoincrement=True,
    info=owned_by(Owner.DOMAIN, "one for each job"),
)
Index("job_list", job.c.domain_id, job.c.created_at, job.c.job_number)
Index("job_status", job.c.status)
Index(
    "job_create_token", job.c.domain_id, job.c.create_token, unique=True, sqlite_where=job.c.create_token.is_not(None)
)
# A job is undone once.
Index("job_undo", job.c.subject, unique=True, sqlite_where=job.c.kind == text("'undo'"))


def _number_of_job() -> Column[int]:
    """Make the key of a table with what only jobs of some kind have; its rows go with those of ``job``."""
    of_job = ForeignKey("job.job_number", ondelete="CASCADE")
    return Column("job_number", RowNumber, of_job, primary_key=True, autoincrement=False)


# What an upload job or a preview has.
upload_job = Table(
    "upload_job",
    metadata,
    _number_of_job(),
    Column("display_name", Text, nullable=False),
    # {field name: {"Source": ..., "Target": ..., "ContentType": ...}}, as it came.
    Column("fields", JSON, nullable=False),
    Column("unique_key", Text, nullable=False),
    Column("data_expiry_days", Integer, nullable=False),
    # The file: its key (wrapped by the master key), and the name and size of the last complete PUT.
    Column("client_token", LargeBinary),
    Column("file_name", Text),
    Column("file_size_bytes", BigInteger),
    Column("file_received_at", Moment),
    # The form in which the file was read (uploads.reading.file_form), known once reading has begun.
    Column("file_form", JSON(none_as_null=True)),
    # The names of the file's columns, known once it is staged, and so is the number of its rows.
    Column("file_header", JSON(none_as_null=True)),
    Column("record_count", BigInteger),
    Column("created_count", BigInteger, nullable=False, server_default=text("0")),
    Column("updated_count", BigInteger, nullable=False, server_default=text("0")),
    # Of the updated records, those that changed nothing.
    Column("unchanged_count", BigInteger, nullable=False, server_default=text("0")),
    Column("failed_count", BigInteger, nullable=False, server_default=text("0")),
    # Row number of a profile created by record r is pid_base + r.
    Column("pid_base", BigInteger),
    # The key that the failed rows are encrypted with (wrapped by the master key), kept as long as they are.
    Column("failed_rows_key", LargeBinary),
    # What the failed rows failed for, counted once at the end: a list of [code, header of the column or null, faults,
    # first record], the most frequent first. Earlier versions left the first record out.
    Column("fault_counts", JSON(none_as_null=True)),
    # The rows whose unique key an earlier row of the file has too, failed rows left out; known once it is planned.
    Column("repeated_count", BigInteger),
    # Rows that it loaded with an outcome that the user may not expect (uploads.notices); known once it is planned.
    Column("notices", JSON(none_as_null=True)),
    # What the caller wants beyond the mapping (uploads.job_options); null: the defaults.
    Column("options", JSON(none_as_null=True)),
    # For how long after its end the job can be undone, fixed before its first change: 0: nothing is kept for that.
    # Null: it has changed nothing so far, or an earlier version began with it.
    Column("undo_days", Integer),
    # The name of the type of the objects that the rows of the file are; null: they are profiles. Then the file has no
    # mapping (no fields), and the unique key is the name of that of the type.
    Column("object_type", Text),
    info=owned_by(Owner.JOB, "one for each upload job or preview"),
)

# What an undo has: how many profiles it has restored by removing them or by giving them their old values, and how many
# it left, since something else had changed or deleted them.
undo_job = Table(
    "undo_job",
    metadata,
    _number_of_job(),
    Column("removed_count", BigInteger, nullable=False, server_default=text("0")),
    Column("restored_count", BigInteger, nullable=False, server_default=text("0")),
    Column("kept_count", BigInteger, nullable=False, server_default=text("0")),
    Column("gone_count", BigInteger, nullable=False, server_default=text("0")),
    info=owned_by(Owner.JOB, "one for each undo"),
)

# What finds the members of a segment.
segment_run = Table(
    "segment_run",
    metadata,
    _number_of_job(),
    # The definition whose members it exports; null: it only counts those of the query.
    Column("definition_id", BigInteger),
    # The members of the request that say what is wanted, as they came.
    Column("request", JSON, nullable=False),
    # The state of the store that it holds for, how many members there were, and how many profiles in the domain.
    Column("as_of", Moment),
    Column("member_count", BigInteger),
    Column("profile_count", BigInteger),
    info=owned_by(Owner.JOB, "one for each estimate of a segment, for a day"),
)

# Sets of profiles: the members of a segment whose changes are followed, or those that were exported. Row numbers with
# the same quotient by 65,536 share a row.
profile_set = Table(
    "profile_set",
    metadata,
    Column("domain_id", BigInteger, primary_key=True),
    # A SetOwner of store.profile_sets, and its number.
    Column("owner", ByteOrderedText, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("chunk", BigInteger, primary_key=True),
    # Compressed: a bit for each row number, the lowest first.
    Column("bits", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    info=owned_by(
        Owner.DOMAIN,
        "one for 65,536 profiles, for each segment with a subscription and each export",
        is_distributed=True,
        rows_at_once=200,
    ),
)

# Where the changes of segments go.
segment_stream = Table(
    "segment_stream",
    metadata,
    Column("domain_id", BigInteger, ForeignKey("domain.domain_id"), primary_key=True, autoincrement=False),
    # The ARN of a Kinesis stream, or a URL, which may hold a token.
    Column("destination", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("associated_at", Moment, nullable=False),
    # Null: it is associated.
    Column("disassociated_at", Moment),
    # When the destination was first reached, or was found to be out of reach; null: a worker has yet to try.
    Column("probed_at", Moment),
    # The number of the last event of the domain.
    Column("event_number", BigInteger, nullable=False, server_default=text("0")),
    # Attempts to send notifications that failed.
    Column("failed_count", BigInteger, nullable=False, server_default=text("0")),
    info=owned_by(Owner.DOMAIN, "at most one"),
)

# Segments whose changes are followed.
segment_subscription = Table(
    "segment_subscription",
    metadata,
    Column("domain_id", BigInteger, ForeignKey("domain.domain_id"), primary_key=True),
    # Of the segment.
    Column("definition_id", BigInteger, primary_key=True),
    Column("interval_hours", Integer, nullable=False),
    # A SubscriptionStatus, and why it failed.
    Column("status", Text, nullable=False),
    Column("message", Text),
    Column("started_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    # When all profiles are looked at, next and last. While they are, the highest row number that was looked at.
    Column("next_at", Moment, nullable=False),
    Column("last_at", Moment),
    Column("scanned_pid", BigInteger),
    # What it has found since it was started first.
    Column("joined_count", BigInteger, nullable=False, server_default=text("0")),
    Column("left_count", BigInteger, nullable=False, server_default=text("0")),
    Column("scheduled_count", BigInteger, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
    info=owned_by(Owner.DOMAIN, "at most ten"),
)

# Profiles that have joined or left a segment. The stream of the domain numbers them, in their order.
segment_event = Table(
    "segment_event",
    metadata,
    Column("domain_id", BigInteger, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    # Of the segment.
    Column("definition_id", BigInteger, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("profile_id", Text, nullable=False),
    Column("has_joined", Boolean, nullable=False),
    # Whether a change of the profile was the cause; otherwise a look at all profiles has found it.
    Column("is_live", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
    # The event of this segment and profile before it.
    Column("previous_at", Moment),
    sqlite_with_rowid=False,
    info=owned_by(
        Owner.DOMAIN,
        "one for each profile that joins or leaves a segment with a subscription, for 30 days",
        is_distributed=True,
    ),
)
Index("segment_event_list", segment_event.c.domain_id, segment_event.c.definition_id, segment_event.c.number)
Index(
    "segment_event_profile",
    segment_event.c.domain_id,
    segment_event.c.definition_id,
    segment_event.c.pid,
    segment_event.c.number,
)

# The ids of profiles that were removed from a domain with subscriptions, for the events that say so.
removed_profile = Table(
    "removed_profile",
    metadata,
    Column("domain_id", BigInteger, primary_key=True),
    Column("pid", BigInteger, primary_key=True),
    Column("profile_id", Text, nullable=False),
    Column("removed_at", Moment, nullable=False),
    sqlite_with_rowid=False,
    info=owned_by(
        Owner.DOMAIN,
        "one for each profile that is removed from a domain with subscriptions, for 30 days",
        is_distributed=True,
    ),
)
Index("removed_profile_age", removed_profile.c.domain_id, removed_profile.c.removed_at)

# By which words customers are searched, blanks between them; the first one names the domain.
profile_words = Table(
    "profile_words",
    metadata,
    Column("pid", RowNumber, primary_key=True, autoincrement=False),
    Column("domain_id", BigInteger, nullable=False),
    Column("words", Text, nullable=False),
    info=owned_by(Owner.DOMAIN, "one for each profile", is_distributed=True),
)
# For listing, and for removing a domain's data.
Index("words_of_domain", profile_words.c.domain_id, profile_words.c.pid)
# What begins like this in the store belongs to the index of words.
_WORDS_INDEX_PREFIX = "profile_words_"
# The index of the words, which SQLAlchemy cannot describe. That of SQLite has tables of its own. Those who add rows to
# the table add them to the index: within a trigger, FTS5 writes its pages for each row, in four times the time.
# No row of the table is changed. Words of removed rows stay in its pages until these are merged; FTS5 could remove them
# at once (secure-delete), but takes a millisecond for each row, and loses rows that are added again in a transaction.
WORDS_INDEX_ON_SQLITE = (
    "create virtual table profile_words_index using fts5(words, content='profile_words', content_rowid='pid', "
    "detail=none, tokenize=\"ascii tokenchars '_'\", prefix='1 2 3')",
    "create trigger profile_words_removed after delete on profile_words begin "
    "insert into profile_words_index (profile_words_index, rowid, words) values ('delete', old.pid, old.words); end",
)
WORDS_INDEX_ON_POSTGRESQL = (
    "create index profile_words_index on profile_words using gin (array_to_tsvector(string_to_array(words, ' ')))",
)


@event.listens_for(profile_words, "after_create")
def _make_words_index(_table: Table, connection: Connection, **_more: object) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    for statement in WORDS_INDEX_ON_SQLITE if is_sqlite else WORDS_INDEX_ON_POSTGRESQL:
        connection.exec_driver_sql(statement)


# How far the words of a domain's profiles are written; the feed that follows its changes continues from there.
words_feed_state = Table(
    "words_feed_state",
    metadata,
    Column("domain_id", BigInteger, ForeignKey("domain.domain_id"), primary_key=True, autoincrement=False),
    # While all profiles are looked at, how far that has come; otherwise null.
    Column("scanned_pid", BigInteger),
    # When words were removed that may still stand in the pages of the index of SQLite; null: none were.
    Column("removed_at", Moment),
    info=owned_by(Owner.DOMAIN, "one for each domain"),
)

# Jobs that come again: a worker adds the next one when it is due.
schedule = Table(
    "schedule",
    metadata,
    Column("domain_id", BigInteger, ForeignKey("domain.domain_id"), primary_key=True),
    # One of job_kinds.KINDS. A worker that does not know it leaves the schedule to others.
    Column("kind", ByteOrderedText, primary_key=True),
    Column("every_seconds", BigInteger, nullable=False),
    Column("next_at", Moment, nullable=False),
    sqlite_with_rowid=False,
    info=owned_by(Owner.DOMAIN, "few"),
)


def _rows_of_upload_job(name: str, *columns: Column[Any], about: str, kept: Kept, rows_at_once: int = 2_000) -> Table:
    """Make a table of rows that an upload job owns. Their keys begin with its number."""
    return Table(
        name,
        metadata,
        Column("upload_job_id", BigInteger, primary_key=True),
        *columns,
        sqlite_with_rowid=False,
        info=owned_by(Owner.UPLOAD_JOB, about, kept=kept, is_distributed=True, rows_at_once=rows_at_once),
    )


def _chunks_of_upload_job(name: str, *columns: Column[Any], about: str, kept: Kept) -> Table:
    """Make a table with a numbered row for each chunk of an upload job."""
    table = Table(
        name,
        metadata,
        Column(f"{name}_id", RowNumber, primary_key=True, autoincrement=True),
        Column("upload_job_id", BigInteger, nullable=False),
        *columns,
        info=owned_by(Owner.UPLOAD_JOB, about, kept=kept, is_distributed=True, rows_at_once=8),
    )
    Index(f"{name}_job", table.c.upload_job_id, table.c[f"{name}_id"])
    return table


failed_row = _rows_of_upload_job(
    "failed_row",
    Column("record", BigInteger, primary_key=True),
    # A record may have several faults: 0 is the first, which every failed row has.
    Column("fault", Integer, primary_key=True, server_default=text("0")),
    Column("line", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    # The header of the column at fault; null when it is the row as a whole.
    Column("column_name", Text),
    # A number that the message needs (a length, a count of cells); its meaning depends on the code.
    Column("detail", BigInteger),
    # The row as it stands in the file, with its first fault, encrypted under the job's failed_rows_key; null when it is
    # longer than a row may be.
    Column("content", LargeBinary),
    about="one for each error of a failed row",
    kept=Kept.AS_FAILED_ROWS,
    rows_at_once=200,
)

# The first rows of a job that repeat the unique key of an earlier row; removed with its failed rows.
repeated_row = _rows_of_upload_job(
    "repeated_row",
    Column("record", BigInteger, primary_key=True),
    Column("line", BigInteger, nullable=False),
    # The first row of the file with this key.
    Column("first_record", BigInteger, nullable=False),
    Column("first_line", BigInteger, nullable=False),
    about="the first 100,000 rows of a job that repeat the unique key of an earlier row",
    kept=Kept.AS_FAILED_ROWS,
)

# What a preview has found that a load would create and change, a sample: encrypted under its job's failed_rows_key, and
# removed with it.
preview_sample = _rows_of_upload_job(
    "preview_sample",
    Column("number", BigInteger, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    about="up to 120 samples of a preview's results, encrypted",
    kept=Kept.AS_FAILED_ROWS,
    rows_at_once=200,
)

# Keys that a load's updates add to and take from profiles, written with the updates themselves and applied, sorted, at
# the load's end. A crash in between does not lose any. A row holds those of one chunk, as an Arrow stream of added
# (0 or 1), name, value and pid: a row for each key took a tenth of the time of a load of updates.
pending_keys = _chunks_of_upload_job(
    "pending_keys",
    Column("changes", LargeBinary, nullable=False),
    about="one for each chunk of a load",
    kept=Kept.WHILE_IT_RUNS,
)

# What profiles were before a load changed them, written with the changes themselves. A row holds those of one chunk,
# which is a change: see bulk.images.
undo_image = _chunks_of_upload_job(
    "undo_image",
    Column("content", LargeBinary, nullable=False),
    # Of the change, in the job's domain; null: an earlier version made it.
    Column("number", BigInteger),
    about="one for each chunk that changed profiles",
    kept=Kept.FOR_UNDO,
)
Index("undo_image_number", undo_image.c.upload_job_id, undo_image.c.number)

# Keys that a load's updates would have removed from the index, had DeleteProfileKey not done so before: an undo of
# the load must not add them again.
undo_absent_key = _rows_of_upload_job(
    "undo_absent_key",
    Column("name", ByteOrderedText, primary_key=True),
    Column("value", ByteOrderedText, primary_key=True),
    Column("pid", BigInteger, primary_key=True),
    about="one for each key that a load would have removed if DeleteProfileKey had not",
    kept=Kept.FOR_UNDO,
)

# Profiles that a load had created or updated and that its undo left as they were, since something else had changed
# them.
undo_kept_profile = _rows_of_upload_job(
    "undo_kept_profile",
    # That of the undo.
    Column("pid", BigInteger, primary_key=True),
    Column("profile_id", Text, nullable=False),
    # Whether the load had made it.
    Column("was_created", Boolean, nullable=False),
    about="one for each profile that an undo did not change",
    kept=Kept.AS_FAILED_ROWS,
)

# Records that a load follows one by one, in file order, because their unique keys are entangled or were written by
# something else since the plan.
ordered_record = _rows_of_upload_job(
    "ordered_record",
    Column("record", BigInteger, primary_key=True),
    about="records of a load that are applied one by one",
    kept=Kept.WHILE_IT_RUNS,
)

# What a domain keeps by name: layouts, saved mappings, and whatever else is created, read, updated, deleted and listed.
# Its body is in definition_body.
definition = Table(
    "definition",
    metadata,
    # Never used again, so that what refers to a definition cannot mean a later one of the same name.
    Column("definition_id", RowNumber, primary_key=True, autoincrement=True),
    Column("domain_id", BigInteger, ForeignKey("domain.domain_id"), nullable=False),
    # The name of a DefinitionKind.
    Column("kind", ByteOrderedText, nullable=False),
    Column("name", ByteOrderedText, nullable=False),
    # What lists show of it, by the kind.
    Column("summary", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    # That of the body that holds; each change adds 1.
    Column("version", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("deleted_at", Moment),
    sqlite_autoincrement=True,
    info=owned_by(Owner.DOMAIN, "few"),
)
Index(
    "definition_name",
    definition.c.domain_id,
    definition.c.kind,
    definition.c.name,
    unique=True,
    sqlite_where=definition.c.deleted_at.is_(None),
)

# The bodies of definitions: the one that holds, and older ones that something refers to.
definition_body = Table(
    "definition_body",
    metadata,
    Column("domain_id", BigInteger, primary_key=True),
    Column("definition_id", BigInteger, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("body", JSON, nullable=False),
    sqlite_with_rowid=False,
    info=owned_by(Owner.DOMAIN, "one for each definition, of up to several megabytes", rows_at_once=8),
)

# The objects of profiles. Their numbers are row numbers of profiles' sequence, in the order in which they came.
profile_object = Table(
    "profile_object",
    metadata,
    Column("object_no", RowNumber, primary_key=True, autoincrement=False),
    Column("domain_id", BigInteger, nullable=False),
    Column("pid", BigInteger, nullable=False),
    # The number of its definition; that of a standard object is negative (objects.standard_objects).
    Column("object_type_id", BigInteger, nullable=False),
    # The 32 bytes of ProfileObjectUniqueKey.
    Column("unique_key", LargeBinary, nullable=False),
    # The JSON text, as it came.
    Column("content", Text, nullable=False),
    # The version of the definition by which it was ingested; null for a standard object.
    Column("version", Integer),
    # Whether it created its profile.
    Column("made_profile", Boolean, nullable=False),
    # Of a standard object: the keys that find it in its profile, as a list of [name, value].
    Column("keys", JSON(none_as_null=True)),
    # When the source says that it was changed last.
    Column("source_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    info=owned_by(Owner.DOMAIN, "one for each object", is_distributed=True, rows_at_once=200),
)
# As FOR_EXPIRY_INDEX.
FOR_OBJECT_EXPIRY_INDEX = profile_object.c.expires_at < literal_column(str(LAST_MOMENT_MS))
Index(
    "profile_object_expiry",
    profile_object.c.domain_id,
    profile_object.c.expires_at,
    info={_ONLY_ON_POSTGRESQL: FOR_OBJECT_EXPIRY_INDEX},
)

# The two indexes of objects are tables, so that a load can fill them in their order: by profile, and by unique key.
object_list = Table(
    "object_list",
    metadata,
    Column("pid", BigInteger, primary_key=True),
    Column("object_type_id", BigInteger, primary_key=True),
    Column("object_no", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
    info=owned_by(Owner.PROFILE, "one for each object"),
)
object_unique = Table(
    "object_unique",
    metadata,
    Column("domain_id", BigInteger, primary_key=True),
    Column("object_type_id", BigInteger, primary_key=True),
    # The first 8 bytes of the unique key; of a standard object, also those of each key that finds it in its profile.
    Column("hash", BigInteger, primary_key=True),
    Column("object_no", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
    info=owned_by(Owner.DOMAIN, "one for each object, and for each key of a standard object", is_distributed=True),
)

# Objects that could not be given to a profile.
dead_letter = Table(
    "dead_letter",
    metadata,
    Column("dead_letter_id", RowNumber, primary_key=True, autoincrement=True),
    Column("domain_id", BigInteger, ForeignKey("domain.domain_id"), nullable=False),
    Column("object_type", Text, nullable=False),
    Column("unique_key", LargeBinary, nullable=False),
    Column("content", Text, nullable=False),
    # A DeadLetterCode.
    Column("code", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    sqlite_autoincrement=True,
    info=owned_by(Owner.DOMAIN, "one for each object that found no profile, for 14 days", rows_at_once=200),
)
Index("dead_letter_list", dead_letter.c.domain_id, dead_letter.c.dead_letter_id)
Index("dead_letter_expiry", dead_letter.c.expires_at)
# At most one of each object.
Index("dead_letter_key", dead_letter.c.domain_id, dead_letter.c.unique_key, unique=True)

# The URL to call when upload jobs of a domain end.
webhook = Table(
    "webhook",
    metadata,
    Column("domain_id", BigInteger, ForeignKey("domain.domain_id"), primary_key=True, autoincrement=False),
    # May hold a token. Null: only jobs that have a URL of their own call one.
    Column("url", Text),
    # What bodies are signed with, encrypted with the master key.
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    info=owned_by(Owner.DOMAIN, "few"),
)

# How far a reader of numbered rows has come (``feed_kinds``). Among them are the calls of webhooks: the end of a job is
# the only row of such a feed, which the transaction that ends the job adds.
feed = Table(
    "feed",
    metadata,
    # The number of what it is for, such as an upload job, by its kind. It is first in the key, since SQLite would look
    # for feeds that are due by a name in front of it, among all that are over.
    Column("subject", BigInteger, primary_key=True, autoincrement=False),
    # Of its kind; a worker leaves feeds alone whose kind it does not know.
    Column("name", ByteOrderedText, primary_key=True),
    Column("domain_id", BigInteger, nullable=False),
    # The URL that a webhook calls: the job's own or the domain's.
    Column("target", Text),
    # Of the last row acted on.
    Column("number", BigInteger, nullable=False, server_default=text("0")),
    # Grows with each attempt; only the last one can move the number.
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    # Those that were begun since the number last moved.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # While an attempt is made.
    Column("lease_owner", Text),
    # Null once it is over or given up. While an attempt is made, when another worker may make the next one.
    Column("next_attempt_at", Moment),
    # Why the last attempt failed, in our words; nothing of what a receiver sent.
    Column("last_error", Text),
    Column("moved_at", Moment),
    Column("given_up_at", Moment),
    Column("created_at", Moment, nullable=False),
    info=owned_by(Owner.DOMAIN, "one for each kind and subject, such as a job of a domain with a webhook"),
)
Index("feed_due", feed.c.next_attempt_at, sqlite_where=feed.c.next_attempt_at.is_not(None))

credential = Table(
    "credential",
    metadata,
    Column("access_key_id", ByteOrderedText, primary_key=True),
    Column("name", Text, nullable=False),
    # The secret, encrypted with the master key.
    Column("secret", LargeBinary, nullable=False),
    Column("actions", JSON, nullable=False),
    Column("domains", JSON, nullable=False),
    Column("requests_per_second", Float),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    info=owned_by(Owner.STORE, "few"),
)


def tables_of(owner: Owner) -> list[Table]:
    """List the tables whose rows go with this owner, in the order of definition."""
    return [table for table in metadata.tables.values() if owned_rows(table).owner is owner]


def is_described(name: str | None, _kind: str, _parents: object) -> bool:
    """Return whether the metadata describe what the store has by this name, for Alembic's ``include_name``."""
    return name is None or not name.startswith(_WORDS_INDEX_PREFIX)
