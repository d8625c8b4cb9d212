"""Measure the processor time of a load of few rows in a loader that waits for it, as a worker keeps one."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

from load.loading import Place, Shop
from load.oracle import Column
from openprofiles.job_kinds import UPLOAD
from openprofiles.uploads.reading.file_form import FileOptions
from openprofiles.worker.loader_arguments import EXIT_ENDED, LoaderArguments
from openprofiles.worker.loader_process import LoaderProcesses

ROWS = 5
LOADS = 20
_FIELDS = {
    "Email": "EmailAddress",
    "First": "FirstName",
    "Last": "LastName",
    "Phone": "PhoneNumber",
    "City": "Address.City",
}
_COLUMNS = [Column(header, path) for header, path in _FIELDS.items()]
# A loader that has used no processor time for so long waits for its job.
_IDLE_SECONDS = 0.3


def measure_table() -> str:
    """Measure the first and second load of some domains; return the table of benchmarks/README.md."""
    seconds: dict[str, list[float]] = {"first": [], "second": []}
    # In memory, so that no commit waits for a disk.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108
        place = Place(Path(folder) / "data")
        for _ in range(LOADS):
            shop = place.open_shop()
            for name, city in (("first", "Rome"), ("second", "Oslo")):
                seconds[name].append(_load(shop, city))
        place.close()
    lines = [
        f"| {name} load of {ROWS} rows | {statistics.median(taken):.3f} | {min(taken):.3f} to {max(taken):.3f} |"
        for name, taken in seconds.items()
    ]
    return "\n".join(["| Load | processor time, s | (least to most) |", "| --- | --- | --- |", *lines])


def _load(shop: Shop, city: str) -> float:
    rows = "".join(f"ann{n}@example.com,Ann{n},Rao,+1 206 555 010{n},{city}\n" for n in range(ROWS))
    file = f"{','.join(_FIELDS)}\n{rows}".encode()
    job = shop.create_job(_COLUMNS, "EmailAddress", file, file=FileOptions())
    orders = shop.claim(job)
    arguments = LoaderArguments(
        settings=shop.place.settings.to_json(),
        yields=False,
        job_number=orders.job_number,
        owner=orders.owner,
        epoch=orders.epoch,
        kind=UPLOAD.name,
    )
    loaders = LoaderProcesses()
    before = _wait_until_idle(loaders.prepare().pid)
    process = loaders.begin(arguments)
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == EXIT_ENDED, "the load has failed"
    return usage.ru_utime + usage.ru_stime - before


def _wait_until_idle(pid: int) -> float:
    """Wait until a loader waits for its job; return its processor time so far, seconds."""
    before, used = -1.0, 0.0
    while used > before:
        time.sleep(_IDLE_SECONDS)
        # Its 14th and 15th fields; the second one, in brackets, may have blanks.
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        before, used = used, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return used
