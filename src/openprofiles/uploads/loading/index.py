"""Bring the search index up to date with what a load wrote: ``key_writes`` with the keys of new profiles.

These come from the scratch database, those that updates changed from the table ``pending_keys``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

from openprofiles.bulk.key_columns import NO_VALUE, KeyRule, sql_keys_or_null
from openprofiles.bulk.key_writes import (
    make_sorted,
    pending_sql,
    read_pending_keys,
    rules_of_pending,
    sorted_rules,
    sorted_table_name,
    write_keys,
)
from openprofiles.uploads.loading.load_work import Load
from openprofiles.uploads.loading.plan import read_ordered_records

_INTERRUPT_AGAIN_SECONDS = 0.05


class KeySorting:
    """Sorts the keys of the profiles that the plan creates, into one table for each name, in a thread of its own.

    That needs the file and the plan alone, so it runs beside the merging, whose work is the store's.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._threads = ThreadPoolExecutor(1)
        self._tables = {rule.name: self._threads.submit(_make_new_keys, load, rule) for rule in sorted_rules(load)}

    def wait_for(self, name: str) -> None:
        """Return when the table of this name is made."""
        self._tables[name].result()

    def close(self) -> None:
        """Give up what is not made yet."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        # Once is not enough: the thread may be between two statements.
        while not all(table.done() for table in self._tables.values()):
            self._load.cursor.connection.interrupt()
            wait(self._tables.values(), timeout=_INTERRUPT_AGAIN_SECONDS)
        self._threads.shutdown()


def write_load_keys(load: Load, created: str, phase: str | None, position: int, sorting: KeySorting | None) -> None:
    """Bring the index up to date with what the load wrote.

    Args:
        created: SQL condition on the table ``target`` that chooses the new profiles which are in the store.
        phase, position: see ``write_keys``.
        sorting: what makes the tables of the planned profiles' keys; None if nothing does yet.
    """
    if not load.scratch.is_done("keys"):
        read_pending_keys(load)
        read_ordered_records(load.scratch, load.store)
        load.scratch.run(
            "create or replace table not_created as select target from target "
            f"where pid is null and (target in (select record from ordered) or not ({created}))"
        )
        load.scratch.mark_done("keys")
    changed = {rule.name for rule in rules_of_pending(load, added=1)}
    any_not_created = bool(load.scratch.value("select exists (select 1 from not_created)"))

    def table_of(ahead: Load, rule: KeyRule) -> str:
        if sorting is not None:
            sorting.wait_for(rule.name)
        return _added_keys_table(ahead, rule, any_changed=rule.name in changed, any_not_created=any_not_created)

    write_keys(load, phase, position, sorted_rules(load), table_of, notes_absent=load.keeps_images)


def _new_keys_sql(load: Load, rule: KeyRule, *, created_only: bool = False) -> str:
    """SQL for the keys of one name that the planned new profiles have, or those of them that are in the store."""
    mapped = set(rule.paths).intersection(load.paths)
    if rule.name == load.mapping.key_name and mapped == {load.mapping.unique_key.path}:
        # The plan has them already, and nearly always in their order.
        source, value, pid = "key_group", load.mapping.sql_search_form("key"), f"first + {load.pid_base}"
        if created_only or not load.all_new:
            source += f" semi join ({_new_targets_sql(created_only=created_only)}) t on t.target = key_group.first"
        return f"select {value} as value, {pid} as pid from {source}"
    indexes = {path: index for index, path in enumerate(load.paths)}
    used = [index for path, index in indexes.items() if path in rule.paths]
    if load.all_new and not created_only:
        created = f"(select record + {load.pid_base} as pid, * from staged where key is not null)"
    else:
        values = ", ".join(f"coalesce(f.v{index}, s.v{index}) as v{index}" for index in used)
        created = (
            f"(select s.record + {load.pid_base} as pid, {values} from staged s "
            f"semi join ({_new_targets_sql(created_only=created_only)}) t on t.target = s.record "
            "left join folded f on f.target = s.record)"
        )
    keys = sql_keys_or_null(
        [rule], lambda path: f"v{indexes[path]}" if path in indexes else NO_VALUE, load.job.phone_region, created
    )
    return f"select value, pid from ({keys})"


def _new_targets_sql(*, created_only: bool) -> str:
    condition = " and target not in (select target from not_created)" if created_only else ""
    return f"select target from target where pid is null{condition}"


def _make_new_keys(load: Load, rule: KeyRule) -> str:
    return make_sorted(load.cursor, sorted_table_name(load, "new_key", rule), _new_keys_sql(load, rule))


def _added_keys_table(load: Load, rule: KeyRule, *, any_changed: bool, any_not_created: bool) -> str:
    """Make the table of the keys of one name that a load adds: those of changed profiles and those of new ones.

    Args:
        any_changed: whether ``pending`` has some of them.
        any_not_created: whether ``not_created`` has some profiles.
    """
    cursor = load.cursor
    changes = pending_sql(rule, added=1)
    added = sorted_table_name(load, "added_key", rule)
    if any_not_created and not cursor.is_done(sorted_table_name(load, "new_key", rule)):
        # Stopped, perhaps after a hundredth of the file: the rest of its keys need no sorting.
        created = _new_keys_sql(load, rule, created_only=True)
        return make_sorted(cursor, added, f"{changes} union all {created}")
    planned = _make_new_keys(load, rule)
    if not any_not_created and not any_changed:
        return planned
    created = (
        f"select value, pid from {planned} anti join "
        f"(select target + {load.pid_base} as pid from not_created) using (pid)"
    )
    return make_sorted(cursor, added, f"{changes} union all {created}")
