"""Start the real program as a user does, for tests."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from acceptance.forked_commands import ForkedCommands, can_fork

START_TIMEOUT_SECONDS = 60.0


def environment(**more: str) -> dict[str, str]:
    """Return this environment without settings for openprofiles or AWS."""
    dropped = ("OPENPROFILES_", "AWS_", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | more


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "openprofiles", *map(str, arguments)]


def run_command(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``openprofiles`` to its end; ``more`` is added to its environment."""
    variables = environment(**more)
    if can_fork(variables):
        return forked_commands().run(list(map(str, arguments)), variables, START_TIMEOUT_SECONDS)
    return subprocess.run(
        command(*arguments), env=variables, capture_output=True, text=True, timeout=START_TIMEOUT_SECONDS
    )


@cache
def forked_commands() -> ForkedCommands:
    """Return the process that forks commands for this one, and for programs that it starts."""
    return ForkedCommands()


@dataclass
class RunningServer:
    process: subprocess.Popen[str]
    url: str
    data_folder: Path
    log_path: Path

    def log(self) -> str:
        return self.log_path.read_text()

    def admin(self) -> tuple[str, str]:
        document = json.loads((self.data_folder / "admin-credential.json").read_bytes())
        return document["access_key_id"], document["secret_access_key"]

    def variables(self) -> dict[str, str]:
        """Return the environment variables with which commands use this server as its administrator."""
        key_id, secret = self.admin()
        return {
            "OPENPROFILES_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def client(self, access_key_id: str | None = None, secret: str | None = None) -> Any:
        """Return a boto3 client that never retries, by default with the administrator's key."""
        if access_key_id is None or secret is None:
            access_key_id, secret = self.admin()
        return boto3.client(
            "customer-profiles",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret,
            config=Config(retries={"max_attempts": 1}, proxies={}),
        )

    def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Send an unsigned request; return status, headers (in lower case) and body."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def children(self) -> list[int]:
        """Return the process ids of the workers."""
        return children_of(self.process.pid)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait; return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def running_server(data_folder: Path, *arguments: str, **more: str) -> Iterator[RunningServer]:
    """Run a server on a free port during the block, by default without workers.

    Args:
        more: added to its environment.
    """
    with _running_server([], data_folder, arguments, more) as server:
        yield server


@contextmanager
def server_with_few_files(data_folder: Path, hard_limit: int) -> Iterator[RunningServer]:
    """Run such a server with a low limit of open files, and a soft limit of 200."""
    limited = ["sh", "-c", 'ulimit -Sn 200 && ulimit -Hn "$0" && exec "$@"', str(hard_limit)]
    with _running_server(limited, data_folder, (), {}) as server:
        yield server


@contextmanager
def _running_server(
    prefix: list[str], data_folder: Path, arguments: tuple[str, ...], more: dict[str, str]
) -> Iterator[RunningServer]:
    log_path = data_folder.with_name(f"{data_folder.name}-{time.monotonic_ns()}.log")
    with log_path.open("w") as log:
        process = subprocess.Popen(
            prefix + command("serve", "--data", data_folder, "--port", "0", *(arguments or ("--workers", "0"))),
            env=environment(**more),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = _read_line(process.stdout)
        assert line.startswith("openprofiles listens on http://"), f"{line!r}\n{log_path.read_text()}"
        yield RunningServer(process, line.split()[-1], data_folder, log_path)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()


def wait_until(holds: Callable[[], bool], what: str, timeout_seconds: float = 30.0) -> None:
    """Wait until the condition holds, at growing intervals from 20 ms; fail the test at the deadline."""
    begun = time.monotonic()
    while not holds():
        waited = time.monotonic() - begun
        assert waited < timeout_seconds, f"waited {timeout_seconds} s in vain until {what}"
        # To ask costs processor time, which what is waited for needs.
        time.sleep(min(0.02 + waited / 20, 0.25))


def children_of(pid: int) -> list[int]:
    """Return the process ids of the children."""
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def is_running(pid: int) -> bool:
    """Return whether the process exists and has not ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _read_line(stream: IO[str]) -> str:
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()
    return lines.get(timeout=START_TIMEOUT_SECONDS)
