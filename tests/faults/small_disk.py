"""A small disk for one test: a tmpfs that only the test and its processes can see.

To mount one takes a user namespace, which most Linux systems let everybody make. The test runs inside of it, in a
pytest of its own.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

_VARIABLE = "FAULTS_SMALL_DISK"
_SIZE_BYTES = 64_000_000
_TIMEOUT_SECONDS = 240.0
_MOUNT = f'mount -t tmpfs -o size={_SIZE_BYTES} tmpfs "$0" && exec "$@"'
_BALLAST = "ballast"


class SmallDisk:
    """The disk as the test sees it. Everything under ``data_folder`` is on it."""

    def __init__(self, folder: Path) -> None:
        self.data_folder = folder
        self._ballast = folder / _BALLAST

    def fill(self) -> None:
        """Fill the disk."""
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1_000_000))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def make_room(self) -> None:
        self._ballast.unlink()

    def make_read_only(self) -> None:
        """Make the disk read-only, even for root; no file can be open for writing."""
        self._remount("ro")

    def make_writable(self) -> None:
        self._remount("rw")

    def _remount(self, mode: str) -> None:
        remount = ["mount", "-o", f"remount,{mode}", str(self.data_folder)]
        subprocess.run(remount, check=True, timeout=_TIMEOUT_SECONDS)


def is_inside() -> bool:
    """Return whether this process sees the disk."""
    return _VARIABLE in os.environ


def run_inside(test: pytest.Function, folder: Path) -> None:
    """Run the test again in a pytest with a small disk; skip it if there cannot be one.

    Raises:
        AssertionError: it failed; the message is what pytest says of it.
        RuntimeError: it was not run.
    """
    folder.mkdir()
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, str(folder)]
    try:
        probe = subprocess.run([*inside, "true"], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
    except FileNotFoundError:
        pytest.skip("no small disk can be made: the program unshare is not here")
    if probe.returncode:
        pytest.skip(f"no small disk can be made: {probe.stderr.strip()}")
    options = ["-q", "--runxfail", "-p", "no:cacheprovider", f"--basetemp={folder.with_name('inside')}"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(
        [*inside, sys.executable, "-m", "pytest", *options, test.nodeid],
        cwd=test.config.rootpath,
        env={**variables, _VARIABLE: str(folder)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
    )
    told = ended.stdout + ended.stderr
    if ended.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"pytest did not run the test: {told}")
    assert ended.returncode == pytest.ExitCode.OK, told
    assert "1 passed" in told, told


def the_disk() -> SmallDisk:
    """Return the disk that this process sees."""
    return SmallDisk(Path(os.environ[_VARIABLE]))
