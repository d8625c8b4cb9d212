"""Follow a job of ``openprofiles import`` to its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from openprofiles.cli.importer import Importer
from openprofiles.cli.interrupts import counted_interrupts
from openprofiles.cli.job_state import JobState

if TYPE_CHECKING:
    from openprofiles.cli.import_progress import ProgressDisplay


def watch(importer: Importer, display: ProgressDisplay, poll_seconds: float) -> tuple[JobState, bool]:
    """Follow the job to its end; returns its last state, and whether Ctrl-C was pressed.

    The first Ctrl-C stops the job, the second raises KeyboardInterrupt.
    """
    with counted_interrupts() as interrupts:
        is_stopping = False
        while True:
            state = importer.read_state()
            if not state.is_running:
                return state, interrupts.count > 0
            if interrupts.count and not is_stopping:
                is_stopping = True
                click.echo("Stopping the job. Press Ctrl-C again to exit immediately.", err=True)
                importer.stop_job()
            display.show_job(state)
            time.sleep(poll_seconds)
