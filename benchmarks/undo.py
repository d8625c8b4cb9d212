"""Measure previews and undos of a load, half of it updates, onto the same number of rows."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from benchmarks.loads import DOMAIN, OPENPROFILES, PROCESSOR, Figures, Sizes, first_file, import_command, second_file
from benchmarks.processes import Run, run

PREVIEW, FIRST_PREVIEW = "preview of second", "preview of first"
WITHOUT_IMAGES, WITH_IMAGES, FIRST = "second without images", "second with images", "first with undo"
UNDO = "undo of second"


class UndoBenchmark:
    """Rounds of previews, of loads with and without images for an undo, and of an undo."""

    def __init__(self, folder: Path, sizes: Sizes, figures: Figures) -> None:
        self._folder = folder
        self._figures = figures
        self._rows = sizes.rows
        self._files = {"first": first_file(folder, sizes.rows), "second": second_file(folder, sizes.rows)}

    def round(self) -> None:
        """Measure everything once.

        Raises:
            RuntimeError: The result of the undo is wrong.
        """
        before, place, other = (self._folder / f"data-undo-{name}" for name in ("before", "with", "without"))
        for folder in (before, place, other):
            shutil.rmtree(folder, ignore_errors=True)
        # A separate data folder without the domain, for a preview of a first load.
        self._import(FIRST_PREVIEW, "first", before, "--dry-run")
        self._import(FIRST, "first", before)
        for folder in (place, other):
            shutil.copytree(before, folder)
        shutil.rmtree(before)
        # Otherwise the first measurement would wait until all copies are on the disk.
        os.sync()
        self._import(PREVIEW, "second", place, "--dry-run")
        self._import(WITHOUT_IMAGES, "second", other, "--undo-days", "0")
        shutil.rmtree(other)
        loaded = self._import(WITH_IMAGES, "second", place)
        self._undo(place, loaded)
        shutil.rmtree(place)

    def _import(self, name: str, file: str, place: Path, *options: str) -> dict[str, Any]:
        done = run([*import_command(self._files[file], "--data", place), "--output", "json", *options])
        document: dict[str, Any] = json.loads(done.output)
        self._add(name, document["seconds"], done)
        return document

    def _undo(self, place: Path, loaded: dict[str, Any]) -> None:
        options = ("--domain", DOMAIN, "--data", place, "--output", "json")
        done = run([*OPENPROFILES, "jobs", "undo", loaded["job_id"], *options])
        undone = json.loads(done.output)
        if (undone["removed"], undone["restored"], undone["kept"]) != (loaded["created"], self._rows // 2, 0):
            raise RuntimeError(f"The undo counted otherwise than the load: {undone}")
        self._add(UNDO, done.seconds, done)

    def _add(self, name: str, seconds: float, done: Run) -> None:
        self._figures.add(f"{name}, seconds", seconds)
        self._figures.add(f"{name}, {PROCESSOR}", done.processor_seconds)
        self._figures.add(f"{name}, MB", done.peak_bytes / 1e6)
