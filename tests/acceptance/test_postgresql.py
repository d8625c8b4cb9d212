"""The program on a PostgreSQL store, as a user starts it."""

from __future__ import annotations

from pathlib import Path

import psycopg
from alembic.command import upgrade

from acceptance.running import run_command, running_server
from openprofiles.settings import PostgresqlUrl
from openprofiles.store.migrations import NEWEST_REVISION
from openprofiles.store.open import alembic_config
from openprofiles.store.postgresql import PostgresqlStore
from postgresql_server import PostgresqlServer

PEOPLE = "Email,First\nann@example.com,Ann\nbob@example.com,Bob\nann@example.com,Anna\n"


def with_password(url: str) -> str:
    return url.replace("postgres@", "postgres:geheim@")


def test_a_file_is_loaded_into_postgresql_and_its_profiles_are_found(
    tmp_path: Path, postgresql_server: PostgresqlServer
) -> None:
    url = with_password(postgresql_server.create_database())
    file = tmp_path / "people.csv"
    file.write_text(PEOPLE)
    data = tmp_path / "data"

    with running_server(data, "--store", url, "--workers", "2") as server:
        done = run_command(
            *("import", file, "--data", data, "--domain", "shop", "--unique-key", "Email"),
            *("--map", "Email=EmailAddress", "--map", "First=FirstName"),
            OPENPROFILES_STORE=url,
        )
        found = server.client().search_profiles(DomainName="shop", KeyName="_email", Values=["ANN@example.com"])
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in server.children()]
        log = server.log()

    assert done.returncode == 0, done.stderr
    assert "2 created, 1 updated, 0 failed" in done.stdout
    assert [item["FirstName"] for item in found["Items"]] == ["Anna"]
    assert len(commands) == 2
    assert not any(b"geheim" in one for one in commands)
    assert "geheim" not in log + done.stdout + done.stderr


def test_an_older_database_is_refused_until_it_is_migrated(tmp_path: Path, postgresql_server: PostgresqlServer) -> None:
    url = postgresql_server.create_database()
    credentials = ("credentials", "list", "--data", tmp_path / "data", "--store", url)
    store = PostgresqlStore(PostgresqlUrl(url))
    with store.write() as connection:
        upgrade(alembic_config(connection), "0001")
    store.close()

    refused = run_command(*credentials)
    migrated = run_command("migrate", "--data", tmp_path / "data", "--store", url)

    assert refused.returncode != 0
    assert f"has revision 0001; this version of openprofiles needs {NEWEST_REVISION}" in refused.stderr
    assert migrated.returncode == 0, migrated.stderr
    assert run_command(*credentials).returncode == 0


def test_a_newer_database_is_refused(tmp_path: Path, postgresql_server: PostgresqlServer) -> None:
    url = postgresql_server.create_database()
    credentials = ("credentials", "list", "--data", tmp_path / "data", "--store", url)
    assert run_command("migrate", "--data", tmp_path / "data", "--store", url).returncode == 0
    with psycopg.connect(url) as connection:
        connection.execute("update alembic_version set version_num = '9999'")

    refused = run_command(*credentials)

    assert refused.returncode != 0
    assert "The store has revision 9999" in refused.stderr


def test_a_database_of_another_program_is_refused_and_not_changed(
    tmp_path: Path, postgresql_server: PostgresqlServer
) -> None:
    url = postgresql_server.create_database()
    with psycopg.connect(url) as connection:
        connection.execute("create table song (title text)")

    refused = run_command("credentials", "list", "--data", tmp_path / "data", "--store", url)

    assert "another program's PostgreSQL database" in refused.stderr
    with psycopg.connect(url) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    assert tables == [("song",)]


def test_a_database_that_cannot_be_reached_is_told_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://joe:geheim@127.0.0.1:1/customers"

    refused = run_command("credentials", "list", "--data", tmp_path / "data", "--store", url)

    assert refused.returncode != 0
    assert "The store postgresql://127.0.0.1:1/customers cannot be opened" in refused.stderr
    assert "geheim" not in refused.stderr
    assert "Traceback" not in refused.stderr


def test_backup_and_restore_name_the_commands_of_postgresql(tmp_path: Path) -> None:
    place = ("--data", tmp_path / "data", "--store", "postgresql://joe:geheim@db.example/shop")

    made = run_command("backup", tmp_path / "backups", *place)
    restored = run_command("restore", tmp_path / "backups", *place)

    assert (made.returncode, restored.returncode) == (2, 2)
    assert "pg_dump --format=custom" in made.stderr
    assert "pg_restore --dbname=" in restored.stderr
    assert "geheim" not in made.stderr + restored.stderr
    assert list(tmp_path.iterdir()) == []
