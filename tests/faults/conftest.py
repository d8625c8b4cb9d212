"""Run the tests that use ``disk`` in a process that sees that disk, and name the folder of prepared loads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faults import prepared
from faults.small_disk import SmallDisk, is_inside, run_inside, the_disk


@pytest.fixture(scope="session", autouse=True)
def prepared_loads(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Name a folder that all processes of this run share, if none has been named."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    os.environ.setdefault(prepared.VARIABLE, str(shared / "prepared-loads"))


@pytest.fixture
def disk(tmp_path: Path) -> SmallDisk | None:
    """Return a small disk of the test, or None outside, where the test is not run."""
    return the_disk() if is_inside() else None


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if "disk" not in pyfuncitem.fixturenames or is_inside():
        return None
    folder = pyfuncitem.funcargs["tmp_path"]
    assert isinstance(folder, Path)
    run_inside(pyfuncitem, folder / "disk")
    return True
