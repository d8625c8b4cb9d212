"""An import of the version before changes were logged can be undone after the upgrade.

``store_of_0021.sql`` is the store of that version after two imports: ann, bob and cleo; a new name and a tier for bob,
a city for cleo, and dan.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from acceptance.running import run_command
from openprofiles.master_key import create_master_key

_STORE = Path(__file__).with_name("store_of_0021.sql")
_FAR_FUTURE_MS = 9_000_000_000_000
_PROFILES = "select email_address, address_city, json(attributes), revision from profile order by email_address"


def test_an_import_of_an_earlier_version_is_undone_after_the_upgrade(tmp_path: Path) -> None:
    create_master_key(tmp_path / "master.key")
    store = sqlite3.connect(tmp_path / "openprofiles.db")
    store.executescript(_STORE.read_text())
    store.execute("update upload_job set undo_days = 36500")
    store.execute("update profile set expires_at = ?", [_FAR_FUTURE_MS])
    store.commit()
    before = store.execute(_PROFILES).fetchall()
    options = ["--domain", "demo", "--data", str(tmp_path)]

    undone = run_command("jobs", "undo", "last", *options)
    history = run_command("history", "cleo@x.example", *options)

    assert undone.returncode == 0, undone.stderr
    assert "Profiles: 1 removed, 2 restored, 0 kept" in undone.stdout
    assert store.execute("select version_num from alembic_version").fetchone()[0] > "0021"
    assert [row[0] for row in before] == ["ann@x.example", "bob@x.example", "cleo@x.example", "dan@x.example"]
    assert before[1][2] == '{"First":"Robert","Tier":"gold"}'
    assert store.execute(_PROFILES).fetchall() == [
        ("ann@x.example", "Rome", '{"First":"Ann","Tier":"gold"}', 1),
        ("bob@x.example", "Rome", '{"First":"Bob"}', 1),
        ("cleo@x.example", None, '{"First":"Cleo","Tier":"silver"}', 1),
    ]
    assert [pid for (pid,) in store.execute("select distinct pid from profile_key order by pid")] == [1, 2, 3]
    assert "undo of import" in history.stdout, history.stderr
    store.close()
