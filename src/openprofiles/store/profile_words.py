"""The words by which customers are searched, and the index of their beginnings, which each engine has in its own way.

SQLite has a full-text index (FTS5) whose content is the table; PostgreSQL has a GIN index.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    and_,
    delete,
    exists,
    insert,
    or_,
    select,
    text,
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


def follow_domain(connection: Connection, domain_id: int, now: datetime) -> None:
    """Have the words of a new domain written, which has no profiles yet."""
    connection.execute(insert(words_feed_state).values(domain_id=domain_id))
    add_feed(connection, PROFILE_WORDS, domain_id, domain_id=domain_id, now=now)


def read_followed_number(connection: Connection, domain_id: int) -> int:
    """Read the number of the last change whose profiles were looked at."""
    return read_feed_number(connection, PROFILE_WORDS, domain_id)


def write_words(connection: Connection, domain_id: int, words: Mapping[int, str]) -> None:
    """Write the words of profiles of a domain, by row number; those that have them already are left alone."""
    wanted = {pid: f"{_DOMAIN_MARK}{domain_id} {some}" for pid, some in words.items()}
    stored = dict(connection.execute(select(table.c.pid, table.c.words).where(table.c.pid.in_(wanted))).all())
    remove_words(connection, [pid for pid, some in stored.items() if some != wanted[pid]])
    rows = [(pid, domain_id, some) for pid, some in wanted.items() if stored.get(pid) != some]
    if not rows:
        return
    # The driver itself takes them, in half of the time.
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("insert into profile_words values (?, ?, ?)", rows)
        connection.exec_driver_sql(
            "insert into profile_words_index (rowid, words) values (?, ?)", [(pid, some) for pid, _, some in rows]
        )
    else:
        connection.exec_driver_sql("insert into profile_words values (%s, %s, %s)", rows)


def index_words_again(connection: Connection) -> None:
    """Make the index again of all rows, after they were added to the table alone."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("insert into profile_words_index (profile_words_index) values ('rebuild')")


def remove_words(connection: Connection, pids: Collection[int]) -> None:
    """Remove the words of profiles."""
    if pids:
        connection.execute(delete(table).where(table.c.pid.in_(pids)))


def remove_words_of_removed(connection: Connection, domain_id: int, after_pid: int, upto_pid: int) -> None:
    """Remove words of the domain in a range of row numbers whose profiles are gone."""
    is_of_range = table.c.pid.between(after_pid + 1, upto_pid) & (table.c.domain_id == domain_id)
    connection.execute(delete(table).where(is_of_range, ~exists().where(profile.c.pid == table.c.pid)))


def find_pids(
    connection: Connection, domain_id: int, searched: Sequence[Sequence[str]], *, before_pid: int, limit: int
) -> list[int]:
    """Find profiles of a domain that have a word with each beginning: their row numbers, the highest first.

    Args:
        searched: for each word its spellings, of which one is enough. They consist of letters and digits. Without any,
            all profiles are found.
    """
    if connection.dialect.name == "sqlite":
        beginnings = [" OR ".join(f'"{one}"*' for one in spellings) for spellings in searched]
        match = " AND ".join([f'"{_DOMAIN_MARK}{domain_id}"', *(f"({one})" for one in beginnings)])
        query = _FIND_ON_SQLITE
    else:
        each = (" | ".join(f"'{one}':*" for one in spellings) for spellings in searched)
        match = " & ".join(f"({one})" for one in each)
        query = _FIND_ON_POSTGRESQL if searched else _LIST_ON_POSTGRESQL
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
# At once while all profiles are looked at.
LOOKS_AT_ALL_AT: ColumnElement[datetime] = (
    select(domain.c.created_at)
    .where(
        domain.c.domain_id == feed.c.domain_id,
        words_feed_state.c.domain_id == feed.c.domain_id,
        words_feed_state.c.scanned_pid.is_not(None),
    )
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
_LIST_ON_POSTGRESQL = text(
    "select pid from profile_words where domain_id = :of_domain and pid < :before_pid order by pid desc limit :most"
)
