"""Measure the time and the memory of loads, and of other tools with the same files."""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import data
from benchmarks.processes import Run, run

ROOT = Path(__file__).parents[1]
OPENPROFILES = (sys.executable, "-m", "openprofiles")
DOMAIN = "shop"

# The time of the whole command that a user enters, and of its upload job from start to end.
COMMAND = "command"
JOB = "job"
# The sum over all processors, for the whole command.
PROCESSOR = "processor seconds"


@dataclass(frozen=True)
class Sizes:
    """How many rows the files have.

    Attributes:
        load_rows: The rows of the file that is loaded while requests are measured; enough for many requests.
    """

    rows: int
    many_rows: int
    notes_rows: int
    load_rows: int


class Figures:
    """Figures by name: a list with one figure for each round."""

    def __init__(self) -> None:
        self._lists: dict[str, list[float]] = defaultdict(list)

    def add(self, name: str, figure: float) -> None:
        self._lists[name].append(figure)
        print(f"  {name}: {figure:,.2f}", flush=True)

    def median(self, name: str) -> float:
        return statistics.median(self._lists[name])

    def range(self, name: str) -> tuple[float, float]:
        return min(self._lists[name]), max(self._lists[name])

    def ratios(self, name: str, others: Figures, to: str) -> list[float]:
        """Return the ratio of a figure to another one for each round."""
        pairs = zip(self._lists[name], others._lists[to], strict=False)
        return [one / other for one, other in pairs if other]

    def median_ratio(self, name: str, to: str) -> float:
        """Return the median of the ratios of all rounds."""
        return statistics.median(self.ratios(name, self, to))

    def __contains__(self, name: str) -> bool:
        return name in self._lists

    def as_lists(self) -> dict[str, list[float]]:
        """Return all figures."""
        return dict(self._lists)


class LoadBenchmark:
    """Rounds of all loads and yardsticks, interleaved."""

    def __init__(self, folder: Path, yardstick_python: Path | None, sizes: Sizes, figures: Figures) -> None:
        """Prepare the files.

        Args:
            folder: The folder for files and stores.
            yardstick_python: The interpreter of the other tools; None leaves them out.
            sizes: The sizes of the files.
            figures: Receives the results.
        """
        self._folder = folder
        self._yardstick_python = yardstick_python
        self._figures = figures
        rows, many = sizes.rows, sizes.many_rows
        self._files = {
            "first": first_file(folder, rows),
            "shuffled": self._file(f"shuffled-{rows}", lambda: data.shuffled_file(rows)),
            "second": second_file(folder, rows),
            "repeated": self._file(f"repeated-{rows}", lambda: data.repeated_file(rows)),
            "many": first_file(folder, many),
            "onto many": second_file(folder, rows, many),
            "spread": self._file(
                f"spread-{rows}-onto-{many + rows // 2}", lambda: data.spread_file(rows, many + rows // 2)
            ),
            "all fail": self._file(f"failing-{many}", lambda: data.failing_file(many)),
            "notes": self._file(
                f"notes-{sizes.notes_rows}",
                lambda: data.notes_file(sizes.notes_rows),
                columns=(*data.COLUMNS, data.NOTES_COLUMN),
            ),
        }

    def round(self, *, is_first: bool) -> None:
        """Measure everything once; memory and secondary figures only in the first round."""
        self._load("first", onto=None)
        self._yardstick("bare", "first")
        self._load("second", onto="first")
        self._yardstick("duckdb", "first")
        self._load("shuffled", onto=None)
        self._yardstick("bare", "shuffled")
        self._load("repeated", onto=None)
        self._yardstick("pandas", "first")
        self._load("notes", onto=None)
        self._yardstick("bare", "notes")
        self._load("many", onto=None)
        self._load("onto many", onto="many")
        if is_first:
            self._sqlite_utils("first", detects_types=True)
            self._sqlite_utils("first", detects_types=False)
            self._load("spread", onto="onto many")
            self._load("all fail", onto=None)

    def _file(self, name: str, lines: Callable[[], Iterator[str]], *, columns: tuple[str, ...] = data.COLUMNS) -> Path:
        return _made_file(self._folder / f"{name}.csv", lines, columns=columns)

    def _load(self, name: str, *, onto: str | None) -> None:
        place = self._folder / f"data-{name.replace(' ', '-')}"
        shutil.rmtree(place, ignore_errors=True)
        if onto is not None:
            (self._folder / f"data-{onto.replace(' ', '-')}").rename(place)
        maps = ["--map", f"{data.NOTES_COLUMN}={data.NOTES_TARGET}"] if name == "notes" else []
        failures = self._folder / "failed-rows.csv"
        failures.unlink(missing_ok=True)
        done = run(
            [*import_command(self._files[name], "--data", place), *maps, "--failed-rows", failures],
            may_fail=name == "all fail",
        )
        self._figures.add(f"{name}, {COMMAND}", done.seconds)
        self._figures.add(f"{name}, {JOB}", _job_seconds(place))
        self._figures.add(f"{name}, {PROCESSOR}", done.processor_seconds)
        self._figures.add(f"{name}, MB", done.peak_bytes / 1e6)
        if name not in ("first", "many", "onto many"):
            shutil.rmtree(place)

    def _yardstick(self, tool: str, name: str) -> None:
        if self._yardstick_python is None:
            return
        python = self._yardstick_python
        self._time(
            f"{tool}, {name}",
            lambda database: run(
                [python, "-m", "benchmarks.yardsticks", tool, self._files[name], database],
                environment={"PYTHONPATH": str(ROOT)},
            ),
        )

    def _sqlite_utils(self, name: str, *, detects_types: bool) -> None:
        if self._yardstick_python is None:
            return
        flags = [] if detects_types else ["--no-detect-types"]
        program = self._yardstick_python.with_name("sqlite-utils")
        self._time(
            f"sqlite-utils{'' if detects_types else ' --no-detect-types'}, {name}",
            lambda database: run(
                [program, "upsert", database, "customer", self._files[name], "--csv", "--pk", data.UNIQUE_KEY, *flags]
            ),
        )

    def _time(self, name: str, work: Callable[[Path], Run]) -> None:
        folder = self._folder / "yardstick"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self._figures.add(name, work(folder / "yardstick.db").seconds)
        shutil.rmtree(folder)


def import_command(file: Path, *place: str | Path) -> list[str | Path]:
    """Return the command that loads a file into the store named by ``place``."""
    maps = [part for column, target in data.TARGETS.items() for part in ("--map", f"{column}={target}")]
    return [
        *(*OPENPROFILES, "import", file, *place),
        *("--domain", DOMAIN, "--unique-key", data.UNIQUE_KEY, *maps),
    ]


def first_file(folder: Path, rows: int) -> Path:
    """Return the file of a first load of ``rows`` rows; make it if necessary."""
    return _made_file(folder / f"first-{rows}.csv", lambda: data.first_file(rows))


def second_file(folder: Path, rows: int, stored: int | None = None) -> Path:
    """Return the file of a second load, half of it updates; make it if necessary.

    Args:
        stored: The number of rows of the first load; None for the same number.
    """
    stored = stored or rows
    return _made_file(folder / f"last-{rows}-onto-{stored}.csv", lambda: data.second_file(rows, stored))


def _made_file(path: Path, lines: Callable[[], Iterator[str]], *, columns: tuple[str, ...] = data.COLUMNS) -> Path:
    if not path.exists():
        print(f"making {path.name}", flush=True)
        data.write_file(path, lines(), columns=columns)
    return path


def job_duration_sql(table: str) -> str:
    """Build SQL for the duration of the latest upload job, in milliseconds."""
    return f"select completed_at - started_at from {table} order by started_at desc limit 1"


def _job_seconds(place: Path) -> float:
    """Return the duration of the latest upload job, as GetUploadJob reports it."""
    connection = sqlite3.connect(f"{(place / 'openprofiles.db').as_uri()}?mode=ro", uri=True)
    # A commit that is compared may have times in another table.
    (table,) = connection.execute(
        "select name from sqlite_schema where name in ('job', 'upload_job') order by name limit 1"
    ).fetchone()
    (milliseconds,) = connection.execute(job_duration_sql(table)).fetchone()
    connection.close()
    return float(milliseconds) / 1000
