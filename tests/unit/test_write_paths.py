"""Profiles and their keys are written in one place for calls and in one for jobs, and each of them writes the log."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import openprofiles

SRC = Path(openprofiles.__file__).parent
STATEMENT = re.compile(
    r"(?:insert (?:or \w+ )?into|update|delete from)\s+(?:profile|profile_key|held_key)(?:\s|$)", re.IGNORECASE
)
TABLES = {"profile", "profile_key", "held_key"}
# Of the lanes: calls, and jobs on either engine. Whole domains are removed and stores are copied without a log.
WRITERS = {
    "store/profiles.py",
    "store/profile_keys.py",
    "store/sqlite_bulk.py",
    "store/postgresql_bulk.py",
    "store/removal.py",
}
# The functions of the store that write, and the only module that calls them.
CALLS = {"insert_profile", "update_profile", "delete_profiles", "add_to_index", "remove_from_index", "change_keys"}


@cache
def modules() -> dict[str, ast.Module]:
    found = {path.relative_to(SRC).as_posix(): path.read_text(encoding="utf-8") for path in SRC.rglob("*.py")}
    return {
        name: ast.parse(text) for name, text in found.items() if not name.startswith(("store/migrations/", "wire/"))
    }


def writes(module: ast.Module) -> bool:
    """Return whether a module has a statement that writes one of the tables, as text or through SQLAlchemy."""
    names = {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module == "openprofiles.store.tables"
        for alias in node.names
        if alias.name in TABLES
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.search(node.value):
            return True
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("insert", "update", "delete")
            and isinstance(node.args[0], ast.Name)
            and node.args[0].id in names
        ):
            return True
    return False


def test_profiles_and_keys_are_written_in_one_place_for_calls_and_in_one_for_jobs() -> None:
    assert {name for name, module in modules().items() if writes(module)} == WRITERS


def test_only_modules_that_write_the_log_call_the_functions_that_write_profiles() -> None:
    callers = {
        name
        for name, module in modules().items()
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("profile_rows", "key_rows")
        and node.attr in CALLS
    }
    logging = {
        name
        for name, module in modules().items()
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id == "insert_changes")
            or (isinstance(node.func, ast.Attribute) and node.func.attr == "note_change")
        )
    }
    # A rehearsal writes to a store of its own, which has no log.
    assert callers == {
        "profiles/profiles.py",
        "objects/ingestion.py",
        "objects/removal.py",
        "uploads/loading/object_undo.py",
        "uploads/loading/object_rehearsal.py",
    }
    assert callers - logging == {"uploads/loading/object_rehearsal.py"}
