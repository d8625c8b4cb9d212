"""The words by which customers are searched, and the index of their beginnings, which each engine has in its own way.

SQLite has a full-text index (FTS5) whose content is the table; PostgreSQL has a GIN index.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    case,
    delete,
    exists,
    insert,
    or_,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.engine import Connection

from openprofiles.feed_kinds import PROFILE_WORDS
from openprofiles.job_kinds import KINDS, Lane
from openprofiles.store import profile_changes
from openprofiles.store.feeds import add_feed, read_feed_number
from openprofiles.store.tables import domain, feed, job, profile, words_feed_state
from openprofiles.store.tables import profile_words as table
from openprofiles.store.upload_job_states import UploadJobStatus

# A word that only the rows of one domain have: the index does not know the column of the domain. No word of a profile
# begins like this.
_DOMAIN_MARK = "_"
# So long may words of removed profiles stand in the pages of the index of SQLite.
MERGED_AFTER = timedelta(hours=1)
# To merge 200 takes some hundredths of a second.
_MERGED_PAGES = 200


def follow_domain(connection: Connection, domain_id: int, now: datetime) -> None:
    """Have the words of a new domain written, which has no profiles yet."""
    connection.execute(insert(words_feed_state).values(domain_id=domain_id))
    add_feed(connection, PROFILE_WORDS, domain_id, domain_id=domain_id, now=now)


def read_followed_number(connection: Connection, domain_id: int) -> int:
    """Read the number of the last change whose profiles were looked at."""
    return read_feed_number(connection, PROFILE_WORDS, domain_id)


def write_words(connection: Connection, domain_id: int, words: Mapping[int, str], now: datetime) -> None:
    """Write the words of profiles of a domain, by row number; those that have them already are left alone."""
    wanted = {pid: f"{_DOMAIN_MARK}{domain_id} {some}" for pid, some in words.items()}
    of_domain = table.c.domain_id == domain_id
    query = select(table.c.pid, table.c.words).where(of_domain, table.c.pid.in_(wanted))
    stored = dict(connection.execute(query).all())
    remove_words(connection, domain_id, [pid for pid, some in stored.items() if some != wanted[pid]], now)
    rows = [(pid, domain_id, some) for pid, some in wanted.items() if stored.get(pid) != some]
    if not rows:
        return
    # The driver itself takes them, in half of the time.
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("insert into profile_words (pid, domain_id, words) values (?, ?, ?)", rows)
        connection.exec_driver_sql(
            "insert into profile_words_index (rowid, words) values (?, ?)", [(pid, some) for pid, _, some in rows]
        )
    else:
        connection.exec_driver_sql("insert into profile_words (pid, domain_id, words) values (%s, %s, %s)", rows)


def index_words_again(connection: Connection) -> None:
    """Make the index again of all rows, after they were added to the table alone."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("insert into profile_words_index (profile_words_index) values ('rebuild')")


def remove_words(connection: Connection, domain_id: int, pids: Collection[int], now: datetime) -> None:
    """Remove the words of profiles of a domain."""
    if pids and connection.execute(delete(table).where(table.c.domain_id == domain_id, table.c.pid.in_(pids))).rowcount:
        _note_removed(connection, domain_id, now)


def remove_words_of_removed(
    connection: Connection, domain_id: int, after_pid: int, upto_pid: int, now: datetime
) -> None:
    """Remove words of the domain in a range of row numbers whose profiles are gone."""
    is_of_range = table.c.pid.between(after_pid + 1, upto_pid) & (table.c.domain_id == domain_id)
    if connection.execute(delete(table).where(is_of_range, ~exists().where(profile.c.pid == table.c.pid))).rowcount:
        _note_removed(connection, domain_id, now)


def _note_removed(connection: Connection, domain_id: int, now: datetime) -> None:
    of_domain = (words_feed_state.c.domain_id == domain_id) & words_feed_state.c.removed_at.is_(None)
    if connection.dialect.name == "sqlite":
        connection.execute(update(words_feed_state).where(of_domain).values(removed_at=now))


def read_removed_at(connection: Connection, domain_id: int) -> datetime | None:
    """Read when words were removed that may still stand in the pages of the index; None: there are none."""
    query = select(words_feed_state.c.removed_at).where(words_feed_state.c.domain_id == domain_id)
    return connection.execute(query).scalar_one_or_none()


def merge_index_step(connection: Connection) -> bool:
    """Merge some pages of the index of SQLite, which leaves removed words out; return whether there is more to do."""
    before = connection.exec_driver_sql("select total_changes()").scalar_one()
    connection.exec_driver_sql(
        f"insert into profile_words_index (profile_words_index, rank) values ('merge', {-_MERGED_PAGES})"
    )
    # By the documentation of FTS5: a merge that had nothing to do changes at most one row.
    return bool(connection.exec_driver_sql("select total_changes()").scalar_one() - before > 1)


def note_merged(connection: Connection, domain_id: int) -> None:
    """Note that no removed word stands in the index."""
    of_domain = words_feed_state.c.domain_id == domain_id
    connection.execute(update(words_feed_state).where(of_domain).values(removed_at=None))


def find_pids(
    connection: Connection, domain_id: int, searched: Sequence[Sequence[str]], *, before_pid: int, limit: int
) -> list[int]:
    """Find profiles of a domain that have a word with each beginning: their row numbers, the highest first.

    Args:
        searched: for each word its spellings, of which one is enough. They consist of letters and digits. Without any,
            all profiles are found.
    """
    match = ""
    if not searched:
        query = _LIST
    elif connection.dialect.name == "sqlite":
        beginnings = [" OR ".join(f'"{one}"*' for one in spellings) for spellings in searched]
        match = " AND ".join([f'"{_DOMAIN_MARK}{domain_id}"', *(f"({one})" for one in beginnings)])
        query = _FIND_ON_SQLITE
    else:
        each = (" | ".join(f"'{one}':*" for one in spellings) for spellings in searched)
        match = " & ".join(f"({one})" for one in each)
        query = _FIND_ON_POSTGRESQL
    values = {"searched": match, "of_domain": domain_id, "before_pid": before_pid, "most": limit}
    names = query.compile().params
    return list(connection.execute(query, {name: values[name] for name in names}).scalars())


def begin_words(connection: Connection, domain_id: int) -> None:
    """Have the words of all profiles of a domain written."""
    of_domain = words_feed_state.c.domain_id == domain_id
    if not connection.execute(update(words_feed_state).where(of_domain).values(scanned_pid=0)).rowcount:
        connection.execute(insert(words_feed_state).values(domain_id=domain_id, scanned_pid=0))


def read_scanned_pid(connection: Connection, domain_id: int) -> int | None:
    """Read up to which row number the words of all profiles are written; None: all are."""
    query = select(words_feed_state.c.scanned_pid).where(words_feed_state.c.domain_id == domain_id)
    return connection.execute(query).scalar_one_or_none()


def note_scanned_pid(connection: Connection, domain_id: int, scanned_pid: int | None) -> None:
    """Note up to which row number the words of all profiles are written."""
    of_domain = words_feed_state.c.domain_id == domain_id
    connection.execute(update(words_feed_state).where(of_domain).values(scanned_pid=scanned_pid))


# Whether there are changes whose profiles were not looked at; while a job of the domain writes, none waits.
CHANGES_WAIT: ColumnElement[bool] = and_(
    profile_changes.CHANGES_WAIT,
    ~exists().where(
        job.c.domain_id == feed.c.domain_id,
        job.c.status == UploadJobStatus.IN_PROGRESS.value,
        or_(*(job.c.kind == kind.name for kind in KINDS.values() if kind.lane is Lane.WRITE)),
    ),
)
# At once while all profiles are looked at; and an hour after words were removed.
ACTS_AT: ColumnElement[datetime] = (
    select(
        case(
            (words_feed_state.c.scanned_pid.is_not(None), type_coerce(domain.c.created_at, BigInteger)),
            else_=type_coerce(words_feed_state.c.removed_at, BigInteger)
            + int(MERGED_AFTER / timedelta(milliseconds=1)),
        )
    )
    .where(domain.c.domain_id == feed.c.domain_id, words_feed_state.c.domain_id == feed.c.domain_id)
    .scalar_subquery()
)

_FIND_ON_SQLITE = text(
    "select rowid from profile_words_index where profile_words_index match :searched and rowid < :before_pid "
    "order by rowid desc limit :most"
)
_FIND_ON_POSTGRESQL = text(
    "select pid from profile_words where array_to_tsvector(string_to_array(words, ' ')) @@ cast(:searched as tsquery) "
    "and domain_id = :of_domain and pid < :before_pid order by pid desc limit :most"
)
_LIST = text(
    "select pid from profile_words where domain_id = :of_domain and pid < :before_pid order by pid desc limit :most"
)
