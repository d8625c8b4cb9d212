"""Write the tables of results and targets."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.api import CLIENTS, READS
from benchmarks.busy import (
    BUSY,
    LARGE_LOAD,
    MIDDLE_IMPORT,
    MIDDLE_ROWS,
    QUIET,
    SMALL_IMPORT,
    SMALL_LOAD,
    SMALL_ROWS,
)
from benchmarks.busy import PREFIX as BUSY_PREFIX
from benchmarks.console import PAGES
from benchmarks.console import PREFIX as CONSOLE
from benchmarks.loads import COMMAND, JOB, PROCESSOR, Figures, Sizes
from benchmarks.niceness import NICENESSES
from benchmarks.niceness import PREFIX as NICENESS_PREFIX
from benchmarks.postgresql import ONE_BY_ONE, PREFIX, WORKERS
from benchmarks.undo import FIRST, FIRST_PREVIEW, PREVIEW, UNDO, WITH_IMAGES, WITHOUT_IMAGES

_README = Path(__file__).with_name("README.md")
_BEGIN, _END = "<!-- results -->\n", "<!-- end of results -->\n"

_LOADS = {
    "first": "first load, {rows} rows in key order",
    "shuffled": "first load, the same rows shuffled",
    "second": "second load of {rows} rows, half updates of the last {half}, onto {rows}",
    "repeated": "first load, {rows} rows, 30 % repeated keys",
    "notes": "first load, {notes} rows with long quoted text",
    "many": "first load, {many} rows",
    "onto many": "second load of {rows} rows, half updates of the last {half}, onto {many}",
    "spread": "second load of {rows} rows, its updates spread evenly over {more}",
    "all fail": "{many} rows, every row fails",
}
_YARDSTICKS = {
    "bare, first": "`csv` + `executemany` upsert, {rows} rows in key order",
    "bare, shuffled": "`csv` + `executemany` upsert, shuffled",
    "bare, notes": "`csv` + `executemany` upsert, {notes} rows with long text",
    "sqlite-utils, first": "`sqlite-utils upsert`, {rows} rows",
    "sqlite-utils --no-detect-types, first": "`sqlite-utils upsert --no-detect-types`, {rows} rows",
    "pandas, first": "pandas `to_sql`, {rows} rows (no upsert)",
    "duckdb, first": "DuckDB `CREATE TABLE AS read_csv`, {rows} rows (the physical floor)",
}
_REQUESTS = (
    "bare route",
    "GetUploadJob, idle",
    "SearchProfiles, idle",
    "GetUploadJob, loading",
    "SearchProfiles, loading",
)


_UNDO = {
    FIRST_PREVIEW: "preview of the first load of {rows} rows",
    FIRST: "the load, which can be undone",
    PREVIEW: "preview of the second load, half updates of the last {half}",
    WITHOUT_IMAGES: "the load with `--undo-days 0`, which keeps nothing for an undo",
    WITH_IMAGES: "the load, which can be undone",
    UNDO: "its undo: {half} profiles removed, {half} restored",
}

# Each with the largest allowed ratio.
_BUSY = {
    SMALL_IMPORT: (f"`openprofiles import` of {SMALL_ROWS:,} rows", 3),
    MIDDLE_IMPORT: (f"`openprofiles import` of {MIDDLE_ROWS:,} rows", 3),
    SMALL_LOAD: (f"{SMALL_ROWS:,} rows through a server", 3),
    LARGE_LOAD: ("{load} rows through a server", 12),
}

_POSTGRESQL_LOADS = {
    "first": "first load, {rows} rows in key order",
    "second": "second load of {rows} rows, half updates of the last {half}",
}


def results(figures: Figures, sizes: Sizes, *, rounds: int) -> str:
    """Return all tables that have figures, as Markdown."""
    parts = [f"Measured on {datetime.now(UTC):%Y-%m-%d}: {_machine()}.", f"Medians of {rounds} interleaved rounds."]
    parts += ["", *_targets(figures)]
    if f"first, {JOB}" in figures:
        parts += ["", *_loads(figures)]
    if f"{PREVIEW}, seconds" in figures:
        parts += ["", *_undo(figures)]
    if f"{CONSOLE}{PAGES[0]}, first" in figures:
        parts += ["", *_console(figures)]
    if "bare route, 1, per_second" in figures:
        parts += ["", *_api(figures)]
    if f"{PREFIX}first, {JOB}" in figures:
        parts += ["", "On PostgreSQL:", "", *_postgresql_loads(figures), "", *_api(figures, PREFIX)]
    if f"{BUSY_PREFIX}{SMALL_IMPORT}, {BUSY}, seconds" in figures:
        parts += ["", *_busy(figures)]
    if f"{NICENESS_PREFIX}{NICENESSES[0]}, seconds" in figures:
        parts += ["", *_nicenesses(figures)]
    return _with_sizes("\n".join(parts) + "\n", sizes)


def _with_sizes(text: str, sizes: Sizes) -> str:
    """Replace the names in braces by numbers of rows."""
    numbers = {
        "rows": sizes.rows,
        "half": sizes.rows // 2,
        "quarter": sizes.rows // 4,
        "many": sizes.many_rows,
        "more": sizes.many_rows + sizes.rows // 2,
        "notes": sizes.notes_rows,
        "load": sizes.load_rows,
    }
    for name, number in numbers.items():
        shown = f"{number / 1_000_000:g}M" if number >= 1_000_000 else f"{number:,}"
        text = text.replace(f"{{{name}}}", shown)
    return text


def write_into_readme(text: str) -> None:
    """Replace the tables in the README."""
    before, _, rest = _README.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    _README.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}")


def _targets(figures: Figures) -> Iterator[str]:
    yield "| Measure | Target | Measured | |"
    yield "| --- | --- | --- | --- |"
    for name, target, measured in _compared(figures):
        at_least = target.startswith("at least")
        limit = float(target.split()[-1].rstrip("x"))
        is_met = measured >= limit if at_least else measured <= limit
        unit = "x" if target.endswith("x") else ""
        yield f"| {name} | {target} | {measured:.2f}{unit} | {'met' if is_met else '**missed**'} |"


def _compared(figures: Figures) -> Iterator[tuple[str, str, float]]:
    ratio = figures.median_ratio
    if f"first, {JOB}" in figures:
        job = f"first, {JOB}"
        if "bare, first" in figures:
            yield from _compared_with_others(figures)
        yield "second load of {rows} against the first: the job", "at most 1.6x", ratio(f"second, {JOB}", job)
        yield (
            "{rows} onto {many} against {rows} onto {rows}",
            "at most 1.2x",
            ratio(f"onto many, {JOB}", f"second, {JOB}"),
        )
        spread = "the same, its updates spread evenly over {more}"
        yield spread, "at most 1.2x", ratio(f"spread, {JOB}", f"second, {JOB}")
        yield "first load of {many} against {rows}", "at most 5.8x", ratio(f"many, {JOB}", job)
        yield "peak memory of all processes, {many} rows, MB", "at most 700", figures.median("many, MB")
        yield "the same when every row fails, MB", "at most 700", figures.median("all fail, MB")
    if f"{PREVIEW}, seconds" in figures:
        for preview, load, title in ((FIRST_PREVIEW, FIRST, "first load"), (PREVIEW, WITH_IMAGES, "second load")):
            yield f"preview of the {title} against it", "at most 0.5x", ratio(f"{preview}, seconds", f"{load}, seconds")
        with_images = ratio(f"{WITH_IMAGES}, seconds", f"{WITHOUT_IMAGES}, seconds")
        yield "second load that can be undone against one that cannot", "at most 1.25x", with_images
    if f"{CONSOLE}{PAGES[0]}, first" in figures:
        slowest = max(figures.median(f"{CONSOLE}{page}, {view}") for page in PAGES for view in ("first", "again"))
        yield "slowest page of the console, with {many} profiles, ms", "at most 100", slowest
    if "bare route, 1, per_second" in figures:
        longest = "CreateProfile, loading, 1, longest_ms"
        # A small file is loaded before anything is measured next to its load.
        if longest in figures:
            yield "longest wait of a single-profile write during a load, ms", "at most 300", figures.range(longest)[1]
        for operation in READS:
            if f"{operation}, loading, 1, p99_ms" not in figures:
                continue
            p99 = figures.median(f"{operation}, loading, 1, p99_ms")
            limit = max(2 * figures.median(f"{operation}, idle, 1, p99_ms"), 10.0)
            yield f"{operation}, p99 during a load, ms (twice idle or 10 ms)", f"at most {limit:.1f}", p99
        for clients, target in ((1, "0.4"), (16, "0.2")):
            found = ratio(f"GetUploadJob, idle, {clients}, per_second", f"bare route, {clients}, per_second")
            yield f"GetUploadJob per second against a bare route, clients: {clients}", f"at least {target}x", found
    if f"{BUSY_PREFIX}{SMALL_IMPORT}, {BUSY}, seconds" in figures:
        yield from _compared_busy(figures)
    if f"{PREFIX}first, {JOB}" in figures:
        yield from _compared_on_postgresql(figures)


def _compared_with_others(figures: Figures) -> Iterator[tuple[str, str, float]]:
    ratio = figures.median_ratio
    job, command = f"first, {JOB}", f"first, {COMMAND}"
    yield "first load against `csv` + `executemany`, key order: the job", "at most 2.0x", ratio(job, "bare, first")
    yield "the same: the whole command", "at most 2.0x", ratio(command, "bare, first")
    shuffled = "bare, shuffled"
    yield "first load against it, shuffled: the job", "at most 1.0x", ratio(f"shuffled, {JOB}", shuffled)
    yield "the same: the whole command", "at most 1.0x", ratio(f"shuffled, {COMMAND}", shuffled)
    utils = "sqlite-utils, first"
    yield "`sqlite-utils upsert` against the whole command", "at least 10x", ratio(utils, command)
    utils = "sqlite-utils --no-detect-types, first"
    yield "`sqlite-utils upsert --no-detect-types` against it", "at least 5x", ratio(utils, command)


def _compared_on_postgresql(figures: Figures) -> Iterator[tuple[str, str, float]]:
    ratio = figures.median_ratio
    for name, title, target in (("first", "first load", "0.6"), ("second", "second load", "0.8")):
        for what, whole in ((JOB, "the job"), (COMMAND, "the whole command")):
            found = ratio(f"{PREFIX}{name}, {what}", f"{PREFIX}psql, {name}")
            yield f"PostgreSQL: {title} of {{rows}} against a script for `psql`: {whole}", f"at most {target}x", found
    few, many = WORKERS
    title = f"PostgreSQL: {many} workers on 4 domains"
    yield f"{title}, the less busy processor, %", "at least 90", figures.median(f"{PREFIX}{many} workers, busy")
    found = ratio(f"{PREFIX}{many} workers, seconds", f"{PREFIX}{few} workers, seconds")
    yield f"{title} against {few} worker, which loads two at a time", "at most 1.0x", found
    longest = figures.range(f"{PREFIX}CreateProfile, loading, 1, longest_ms")[1]
    yield "PostgreSQL: longest wait of a single-profile write during a load, ms", "at most 300", longest
    for operation in ("SearchProfiles", "GetUploadJob"):
        found = ratio(f"{PREFIX}{operation}, loading, 1, p99_ms", f"{PREFIX}{operation}, idle, 1, p99_ms")
        yield f"PostgreSQL: point read p99 during a load against idle: {operation}", "at most 2x", found


def _loads(figures: Figures) -> Iterator[str]:
    yield "| Load | the job, s | (least to most) | the whole command, s | its processor time, s | peak memory, MB |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, title in _LOADS.items():
        least, most = figures.range(f"{name}, {JOB}")
        yield (
            f"| {title} | {figures.median(f'{name}, {JOB}'):.1f} | {least:.1f} to {most:.1f} "
            f"| {figures.median(f'{name}, {COMMAND}'):.1f} | {figures.median(f'{name}, {PROCESSOR}'):.1f} "
            f"| {figures.median(f'{name}, MB'):.0f} |"
        )
    if "bare, first" not in figures:
        return
    yield ""
    yield "| Yardstick | the whole process, s | (least to most) |"
    yield "| --- | --- | --- |"
    for name, title in _YARDSTICKS.items():
        least, most = figures.range(name)
        yield f"| {title} | {figures.median(name):.1f} | {least:.1f} to {most:.1f} |"


def _undo(figures: Figures) -> Iterator[str]:
    yield "| Before and after a load | s | (least to most) | peak memory, MB |"
    yield "| --- | --- | --- | --- |"
    for name, title in _UNDO.items():
        least, most = figures.range(f"{name}, seconds")
        median, peak = figures.median(f"{name}, seconds"), figures.median(f"{name}, MB")
        yield f"| {title} | {median:.1f} | {least:.1f} to {most:.1f} | {peak:.0f} |"


def _console(figures: Figures) -> Iterator[str]:
    yield "| Page of the console, with {many} profiles | first view after a start, ms | again, ms |"
    yield "| --- | --- | --- |"
    for page in PAGES:
        first, again = (figures.median(f"{CONSOLE}{page}, {view}") for view in ("first", "again"))
        yield f"| {page} | {first:.1f} | {again:.1f} |"


def _postgresql_loads(figures: Figures) -> Iterator[str]:
    yield "| Load | the job, s | (least to most) | the whole command, s | script for `psql`, s | (least to most) |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, title in _POSTGRESQL_LOADS.items():
        (least, most), (quickest, slowest) = (
            figures.range(f"{PREFIX}{name}, {JOB}"),
            figures.range(f"{PREFIX}psql, {name}"),
        )
        yield (
            f"| {title} | {figures.median(f'{PREFIX}{name}, {JOB}'):.1f} | {least:.1f} to {most:.1f} "
            f"| {figures.median(f'{PREFIX}{name}, {COMMAND}'):.1f} "
            f"| {figures.median(f'{PREFIX}psql, {name}'):.1f} | {quickest:.1f} to {slowest:.1f} |"
        )
    yield ""
    yield "| Four files of {quarter} rows, four domains | all jobs, s | (least to most) | the less busy processor, % |"
    yield "| --- | --- | --- | --- |"
    few, many = WORKERS
    for name, title in (
        (ONE_BY_ONE, "1 worker, each started when the one before has ended"),
        (f"{few} workers", "1 worker, which loads two at a time"),
        (f"{many} workers", f"{many} workers, all at once"),
    ):
        least, most = figures.range(f"{PREFIX}{name}, seconds")
        yield (
            f"| {title} | {figures.median(f'{PREFIX}{name}, seconds'):.1f} | {least:.1f} to {most:.1f} "
            f"| {figures.median(f'{PREFIX}{name}, busy'):.0f} |"
        )


def _api(figures: Figures, prefix: str = "") -> Iterator[str]:
    yield "| Requests | clients | per second | p50, ms | p99, ms | longest, ms |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name in _REQUESTS:
        for clients in (1, 16):
            # On a quick machine the load ends before the requests of many clients are measured.
            if f"{prefix}{name}, {clients}, per_second" not in figures:
                continue
            cells = [
                figures.median(f"{prefix}{name}, {clients}, {figure}")
                for figure in ("per_second", "p50_ms", "p99_ms", "longest_ms")
            ]
            yield f"| {name} | {clients} | {cells[0]:,.0f} | {' | '.join(f'{cell:.2f}' for cell in cells[1:])} |"
    for name in ("CreateProfile, idle", "CreateProfile, loading"):
        if f"{prefix}{name}, 1, p99_ms" not in figures:
            continue
        p99 = figures.median(f"{prefix}{name}, 1, p99_ms")
        longest = figures.range(f"{prefix}{name}, 1, longest_ms")[1]
        yield f"| {name} (100 a second) | 1 | | | {p99:.2f} | {longest:.2f} (the longest of all rounds) |"


def _compared_busy(figures: Figures) -> Iterator[tuple[str, str, float]]:
    for name, (title, limit) in _BUSY.items():
        found = figures.median_ratio(f"{BUSY_PREFIX}{name}, {BUSY}, seconds", f"{BUSY_PREFIX}{name}, {QUIET}, seconds")
        yield f"on a busy machine against a quiet one: {title}", f"at most {limit}x", found
    still = figures.range(f"{BUSY_PREFIX}{LARGE_LOAD}, {BUSY}, stands still")[1]
    yield "the same: the longest time without progress, s", "at most 10", still


def _busy(figures: Figures) -> Iterator[str]:
    yield "| A load, all that a user waits for | quiet, s | busy, s | busy against quiet | (least to most) |"
    yield "| --- | --- | --- | --- | --- |"
    for name, (title, _) in _BUSY.items():
        quiet, busy = (f"{BUSY_PREFIX}{name}, {state}, seconds" for state in (QUIET, BUSY))
        ratios = figures.ratios(busy, figures, quiet)
        yield (
            f"| {title} | {figures.median(quiet):.1f} | {figures.median(busy):.1f} | {median(ratios):.1f}x "
            f"| {min(ratios):.1f} to {max(ratios):.1f} |"
        )


def _nicenesses(figures: Figures) -> Iterator[str]:
    columns = [(operation, clients) for operation in READS for clients in CLIENTS]
    titles = (f"{operation}, {clients} client{'s' if clients > 1 else ''}" for operation, clients in columns)
    yield f"| Niceness of the loader | {' | '.join(f'{title}: p99, ms' for title in titles)} | the load, s |"
    yield f"| --- |{' --- |' * (len(columns) + 1)}"
    for niceness in ("idle", *NICENESSES):
        name = f"{NICENESS_PREFIX}{niceness}"
        p99s = (figures.median(f"{name}, {operation}, {clients}, p99_ms") for operation, clients in columns)
        shown = "no load" if niceness == "idle" else niceness
        seconds = "" if niceness == "idle" else f"{figures.median(f'{name}, seconds'):.1f}"
        yield f"| {shown} | {' | '.join(f'{p99:.1f}' for p99 in p99s)} | {seconds} |"


def _machine() -> str:
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{os.cpu_count()} cores ({cpu}), {memory_gib:.0f} GiB, "
        f"{platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()} (its SQLite {sqlite3.sqlite_version}), DuckDB {version('duckdb')}, "
        f"adbc-driver-sqlite {version('adbc-driver-sqlite')}, "
        f"adbc-driver-postgresql {version('adbc-driver-postgresql')}"
    )
