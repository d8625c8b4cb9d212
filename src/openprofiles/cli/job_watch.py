"""Send the file of a job of ``openprofiles import``, and follow the job to its end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from openprofiles.cli.importer import Importer
from openprofiles.cli.interrupts import counted_interrupts
from openprofiles.cli.job_state import is_running

if TYPE_CHECKING:
    from openprofiles.cli.import_progress import ProgressDisplay
    from openprofiles.cli.source_file import SourceFile


# How late the end of a job may be noticed, as a share of its duration and at most.
_PAUSE_SHARE = 0.025
_LONGEST_PAUSE_SECONDS = 0.25


def send_and_watch(
    importer: Importer, source: SourceFile, display: ProgressDisplay, poll_seconds: float, *, is_dry_run: bool
) -> tuple[Mapping[str, Any], bool]:
    """Send the file, start the job or its preview, and follow it to its end.

    Args:
        poll_seconds: the pause between two looks at a job that has just been started; that at a long one grows.

    Returns:
        its last progress, and whether Ctrl-C was pressed.

    The first Ctrl-C stops the job, the second raises KeyboardInterrupt.
    """
    # From its start: the file is sent again after a question.
    source.file.seek(0)
    sending = importer.place.transport.sending
    importer.send_file(source.file, lambda sent: display.show_sending(sent, source.size_bytes, sending))
    if is_dry_run:
        importer.start_preview()
    else:
        importer.start_job()
    begun = time.monotonic()
    with counted_interrupts() as interrupts:
        is_stopping = False
        while True:
            progress = importer.read_progress()
            if not is_running(progress):
                return progress, interrupts.count > 0
            if interrupts.count and not is_stopping:
                is_stopping = True
                click.echo("Stopping the job. Press Ctrl-C again to exit immediately.", err=True)
                importer.stop_job()
            display.show_job(progress)
            # Each look takes some milliseconds of processor time, which the load needs.
            grown_seconds = min((time.monotonic() - begun) * _PAUSE_SHARE, _LONGEST_PAUSE_SECONDS)
            time.sleep(max(poll_seconds, grown_seconds))
