"""The index of keys (``profile_key``), and the keys that something holds (``held_key``)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

from sqlalchemy import bindparam, select, text
from sqlalchemy.engine import Connection

from openprofiles.facts.keys import Key
from openprofiles.store.prepared import PreparedQuery, PreparedStatement, Writes
from openprofiles.store.tables import held_key, profile_key

KeysByPid: TypeAlias = Mapping[int, Collection[Key]]

# Both engines read this form; SQLAlchemy spells "on conflict do nothing" differently for each.
_ADD_TO_INDEX = PreparedStatement(
    text(
        "insert into profile_key (domain_id, name, value, pid) "
        "values (:domain_id, :name, :value, :pid) on conflict do nothing"
    )
)
# Each key is looked up by itself, whatever PostgreSQL knows of the table. One statement for many is ten times as fast
# as one for each.
_REMOVE_FROM_INDEX_POSTGRESQL = text(
    "delete from profile_key where domain_id = :domain_id and ctid = any(array("
    "select found.ctid from unnest(cast(:names as text[]), cast(:values as text[]), cast(:pids as bigint[])) "
    "as wanted(name, value, pid) cross join lateral (select k.ctid from profile_key k where k.domain_id = :domain_id "
    "and k.name = wanted.name and k.value = wanted.value and k.pid = wanted.pid offset 0) found))"
)
_REMOVE_FROM_INDEX_SQLITE = "delete from profile_key where domain_id = ? and name = ? and value = ? and pid = ?"
_REMOVE_ONE = PreparedStatement(
    text("delete from profile_key where domain_id = :domain_id and name = :name and value = :value and pid = :pid")
)
_HOLD = PreparedStatement(
    text("insert into held_key (pid, name, value, holder) values (:pid, :name, :value, :holder) on conflict do nothing")
)
_RELEASE = text("delete from held_key where pid = :pid and name = :name and value = :value")
_RELEASE_OF_HOLDER = PreparedStatement(
    text("delete from held_key where pid = :pid and name = :name and value = :value and holder = :holder")
)
_WITH_VALUES_SQLITE = (
    select(profile_key.c.value, profile_key.c.pid)
    .where(
        profile_key.c.domain_id == bindparam("domain_id"),
        profile_key.c.name == bindparam("name"),
        profile_key.c.value.in_(bindparam("values", expanding=True)),
    )
    .order_by(profile_key.c.value, profile_key.c.pid)
    .limit(bindparam("most"))
)
_WITH_KEYS_POSTGRESQL = text(
    "select wanted.name, wanted.value, found.pid "
    "from unnest(cast(:names as text[]), cast(:values as text[])) as wanted(name, value) cross join lateral ("
    "select k.pid from profile_key k where k.domain_id = :domain_id and k.name = wanted.name "
    "and k.value = wanted.value order by k.pid limit :most offset 0) found"
)
# A key identifies one profile; of a key of many, one after the other is read.
_PIDS_PER_KEY = 4
# The holder of keys that AddProfileKey added.
HAND = "hand"


def holder_of_object(object_no: int) -> str:
    """Return the holder of the keys of an object."""
    return f"o{object_no}"


def add_to_index(connection: Connection, domain_id: int, keys_by_pid: KeysByPid) -> None:
    """Add keys of profiles (by row number) to the index; existing ones stay."""
    if rows := _rows(keys_by_pid):
        _ADD_TO_INDEX.run_each(connection, [{"domain_id": domain_id, **row} for row in rows])


def remove_from_index(connection: Connection, domain_id: int, keys_by_pid: KeysByPid) -> int:
    """Remove keys of profiles from the index; ignore missing ones, and return the number removed."""
    if not (entries := _entries(keys_by_pid)):
        return 0
    if connection.dialect.name == "sqlite":
        rows = [(domain_id, key.name, key.value, pid) for key, pid in entries]
        return connection.exec_driver_sql(_REMOVE_FROM_INDEX_SQLITE, rows).rowcount
    columns = {
        "names": [key.name for key, _ in entries],
        "values": [key.value for key, _ in entries],
        "pids": [pid for _, pid in entries],
    }
    return connection.execute(_REMOVE_FROM_INDEX_POSTGRESQL, {"domain_id": domain_id, **columns}).rowcount


def read_held_keys(connection: Connection, pids: Collection[int]) -> dict[int, frozenset[Key]]:
    """Read the keys of these profiles that something holds; each profile has an entry."""
    return {pid: frozenset(holders) for pid, holders in read_holders_of(connection, pids).items()}


def change_keys(
    writes: Writes,
    domain_id: int,
    pid: int,
    holder: str,
    *,
    held: Iterable[Key],
    released: Iterable[Key],
    added: Iterable[Key],
    removed: Iterable[Key],
) -> None:
    """Change the keys that a holder holds of a profile, and the index.

    Args:
        held: the keys that it holds from now on.
        released: those that it does not hold any more.
        added: those that come into the index; existing ones stay.
        removed: those that go from the index.
    """
    for statement, keys, more in (
        (_RELEASE_OF_HOLDER, released, {"holder": holder}),
        (_HOLD, held, {"holder": holder}),
        (_REMOVE_ONE, removed, {"domain_id": domain_id}),
        (_ADD_TO_INDEX, added, {"domain_id": domain_id}),
    ):
        for key in sorted(keys):
            writes.add(statement, pid=pid, name=key.name, value=key.value, **more)


def read_holders(connection: Connection, pid: int) -> dict[Key, set[str]]:
    """Read what holds each of the keys of a profile that something holds."""
    holders: dict[Key, set[str]] = {}
    for name, value, holder in _HOLDERS.all(connection, of_pid=pid):
        holders.setdefault(Key(name, value), set()).add(holder)
    return holders


def read_holders_of(connection: Connection, pids: Collection[int]) -> dict[int, dict[Key, set[str]]]:
    """Read what holds each of the held keys of these profiles; each profile has an entry."""
    rows = connection.execute(select(held_key).where(held_key.c.pid.in_(pids)))
    holders: dict[int, dict[Key, set[str]]] = {pid: {} for pid in pids}
    for row in rows:
        holders[row.pid].setdefault(Key(row.name, row.value), set()).add(row.holder)
    return holders


def hold_keys(connection: Connection, keys_by_pid: KeysByPid, holder: str) -> None:
    """Note what holds keys, so that no change of a field removes them."""
    if rows := _rows(keys_by_pid):
        _HOLD.run_each(connection, [{**row, "holder": holder} for row in rows])


def release_keys(connection: Connection, keys_by_pid: KeysByPid) -> int:
    """Remove all that holds these keys; return how many notes there were."""
    if not (rows := _rows(keys_by_pid)):
        return 0
    return connection.execute(_RELEASE, rows).rowcount


def pids_with_key(connection: Connection, domain_id: int, key: Key, after_pid: int, limit: int) -> list[int]:
    """Find up to ``limit`` profiles by a key: their row numbers above ``after_pid``, ascending.

    Expired profiles and those that are just being removed are among them. Reads at most ``limit`` entries of the index.
    """
    return _WITH_KEY.all(
        connection, of_domain=domain_id, key_name=key.name, key_value=key.value, after=after_pid, most=limit
    )


def pids_with_keys(connection: Connection, domain_id: int, keys: Collection[Key]) -> dict[Key, list[int]]:
    """Find the profiles of several keys: all their row numbers, ascending.

    Keys without profiles have an entry; keys of many profiles have none.
    """
    if connection.dialect.name == "sqlite":
        return _pids_with_keys_sqlite(connection, domain_id, keys)
    found: dict[Key, list[int]] = {key: [] for key in keys}
    columns = {"names": [key.name for key in keys], "values": [key.value for key in keys]}
    rows = connection.execute(_WITH_KEYS_POSTGRESQL, {"domain_id": domain_id, "most": _PIDS_PER_KEY, **columns})
    for name, value, pid in rows:
        found[Key(name, value)].append(pid)
    return {key: sorted(pids) for key, pids in found.items() if len(pids) < _PIDS_PER_KEY}


def _pids_with_keys_sqlite(connection: Connection, domain_id: int, keys: Collection[Key]) -> dict[Key, list[int]]:
    values_of: dict[str, list[str]] = {}
    for key in keys:
        values_of.setdefault(key.name, []).append(key.value)
    found: dict[Key, list[int]] = {}
    for name, values in values_of.items():
        limit = _PIDS_PER_KEY * len(values)
        of_name = {"domain_id": domain_id, "name": name, "values": values, "most": limit}
        rows = connection.execute(_WITH_VALUES_SQLITE, of_name).all()
        if len(rows) < limit:
            found |= {Key(name, value): [] for value in values}
            for value, pid in rows:
                found[Key(name, value)].append(pid)
    return found


def _rows(keys_by_pid: KeysByPid) -> list[dict[str, Any]]:
    return [{"name": key.name, "value": key.value, "pid": pid} for key, pid in _entries(keys_by_pid)]


def _entries(keys_by_pid: KeysByPid) -> list[tuple[Key, int]]:
    # Sorted as the index is, so that each of its pages is written about once.
    return sorted((key, pid) for pid, keys in keys_by_pid.items() for key in keys)


_HOLDERS = PreparedQuery(
    select(held_key.c.name, held_key.c.value, held_key.c.holder).where(held_key.c.pid == bindparam("of_pid")),
    lambda row: (str(row["name"]), str(row["value"]), str(row["holder"])),
)
_WITH_KEY = PreparedQuery(
    select(profile_key.c.pid)
    .where(
        profile_key.c.domain_id == bindparam("of_domain"),
        profile_key.c.name == bindparam("key_name"),
        profile_key.c.value == bindparam("key_value"),
        profile_key.c.pid > bindparam("after"),
    )
    .order_by(profile_key.c.pid)
    .limit(bindparam("most")),
    lambda row: int(row["pid"]),
)
