"""``openprofiles worker``."""

from __future__ import annotations

import signal
import threading

import click

from openprofiles.cli.exit_statuses import EXIT_FAILED
from openprofiles.cli.options import settings_options
from openprofiles.errors import DomainError
from openprofiles.logs import EventLogger
from openprofiles.module_imports import kept_imports
from openprofiles.settings import Settings, SettingsError, settings_of_worker


@click.command()
@settings_options(*settings_of_worker())
@click.option("--stop-with-parent", is_flag=True, hidden=True, help="Stop when standard input ends.")
def worker(settings: Settings, stop_with_parent: bool) -> None:
    """Run a worker: it loads the uploaded files.

    It loads the files of upload jobs that were started, sends webhooks when jobs end, and removes expired data.

    `openprofiles serve` starts a worker automatically. To run it as a separate service, use this command together with
    `openprofiles serve --workers 0`, on the same data folder, or on another host with the same --store, --files and
    --master-key. Give it the server's --max-upload-size, too. On Ctrl-C or SIGTERM it stops between two chunks of
    a load; the next worker continues from there.

    \b
    Example:
      openprofiles worker --data /var/lib/openprofiles
    """
    with kept_imports():
        from openprofiles.logs import set_up_logs
        from openprofiles.server import supervise
        from openprofiles.worker.main import run_worker

    set_up_logs(settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if stop_with_parent:
        supervise.stop_with_parent(stop.set)
    logger = EventLogger("openprofiles.worker")
    if not stop_with_parent:
        # Otherwise nothing would show that it runs, or that --data names another folder than you meant.
        logger.info("worker_started", data_folder=str(settings.data_folder.absolute()))
    try:
        run_worker(settings, stop)
    except (SettingsError, DomainError):
        raise
    except Exception:
        logger.exception("worker_failed")
        raise SystemExit(EXIT_FAILED) from None
