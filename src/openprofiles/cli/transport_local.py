"""The operations of a store, called in process: of commands without ``--endpoint-url``, without credentials."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.missing_domain import domain_names, refusal
from openprofiles.clock import utc_now
from openprofiles.credentials.principal import Principal
from openprofiles.errors import DomainError
from openprofiles.master_key import MasterKey, load_master_key, read_master_key
from openprofiles.operations.call import Call
from openprofiles.operations.errors import to_wire_error
from openprofiles.operations.registry import Handler, handler, own_handler
from openprofiles.settings import Settings
from openprofiles.store.open import open_existing_store, open_store
from openprofiles.wire.codec import to_document
from openprofiles.wire.errors import WireError
from openprofiles.wire.model import load_own_model

if TYPE_CHECKING:
    from openprofiles.cli.job_runner import JobRunner
    from openprofiles.uploads.arrival.files import Files
    from openprofiles.uploads.jobs import OpenReading

_WORDS_POLL_SECONDS = 0.1
# The feed of words rests for a second after each act; for longer, only a load that writes holds it up.
_MOST_IDLE_SECONDS = 3.0
# Commands that can read the store need no credential, so this principal may do everything.
_PRINCIPAL = Principal("", "openprofiles", ("*",), ("*",))


class LocalTransport:
    """A store.

    A server may run on the same store. Then its worker may be the one that runs a job.

    Args:
        for_import: create what is missing, and let others know from the beginning that the store is in use.

    Attributes:
        sending: what ``send_file`` does with the file, in a word.
        is_server: whether operations are called through a server.
    """

    sending = "Copying"
    is_server = False

    def __init__(self, settings: Settings, *, for_import: bool = False) -> None:
        self._settings = settings
        self._store = open_store(settings) if for_import else open_existing_store(settings)
        # Most commands look at jobs, or leave them to others.
        self._known_runner: JobRunner | None = None
        self._has_loaded = False
        if for_import:
            from openprofiles.credentials.administer import ensure_admin_credential

            # Whatever opens a new data folder first makes it complete.
            ensure_admin_credential(settings, self._store, load_master_key(settings), utc_now())
            self._runner()

    def call(self, operation: str, request: Mapping[str, Any]) -> Any:
        """Call an operation of AWS; return its answer."""
        answer: Mapping[str, Any] = self._answer(handler(operation), request)
        # Members without a value are not sent either.
        return {name: value for name, value in answer.items() if value is not None}

    def own(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation of our own; return the document of its answer."""
        return to_document(load_own_model().operations[operation], self._answer(own_handler(operation), request))

    def read_file(self, operation: str, request: Mapping[str, Any]) -> Iterator[bytes]:
        """Call an operation of our own that answers with a file; yield its parts."""
        with self._refusals():
            yield from self._answer(own_handler(operation), request)["Body"]

    def domain_names(self) -> Sequence[str]:
        """List the domains that there are; empty where the credential has no permission for that."""
        return domain_names(self._store)

    def send_file(self, domain_name: str, job_id: str, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        """Give a job its file. ``on_sent`` is called with the number of bytes so far."""
        from openprofiles.uploads.arrival.receive import receive_local
        from openprofiles.uploads.arrival.refused import Refused
        from openprofiles.uploads.jobs import get_job

        try:
            with self._refusals(), self._call().reading(domain_name) as session:
                job = get_job(session, job_id)
            receive_local(self._store, self._master_key, self._files, job, file, on_sent)
        except Refused as refused:
            raise CommandFault(refused.message) from refused
        except OSError as error:
            raise CommandFault(f"The file cannot be copied to {self._files.place}: {error.strerror}.") from error

    def remove_file(self, domain_name: str, job_id: str) -> None:
        """Remove the file of a job that was stopped. There may be no worker to do it."""
        from openprofiles.uploads.jobs import get_job

        with self._call().reading(domain_name) as session:
            file_name = get_job(session, job_id).file_name
        if file_name is not None:
            self._files.remove(file_name)

    def write_words(self, domain_name: str, on_begin: Callable[[], None]) -> None:
        """Write the words by which customers are searched.

        A load without a server leaves that to a worker, and there may never be one.

        Args:
            on_begin: called if there is something to write.
        """
        if self._is_searched(domain_name):
            return
        on_begin()
        from openprofiles.feed_kinds import PROFILE_WORDS
        from openprofiles.ids import new_job_id
        from openprofiles.worker.feeds import Feeds, FeedWork

        work = FeedWork(self._settings, self._store, self._master_key, utc_now)
        feeds = Feeds(work, f"find {new_job_id(utc_now())}", [PROFILE_WORDS])
        idle_until = time.monotonic() + _MOST_IDLE_SECONDS
        while not self._is_searched(domain_name) and time.monotonic() < idle_until:
            if feeds.act_next():
                idle_until = time.monotonic() + _MOST_IDLE_SECONDS
            else:
                time.sleep(_WORDS_POLL_SECONDS)

    def _is_searched(self, domain_name: str) -> bool:
        from openprofiles.profiles.text_search import is_complete

        with self._refusals(), self._call().reading(domain_name) as session:
            return is_complete(session)

    def run_job(self, domain_name: str, job_id: str, status: str) -> None:
        """Run a job of this status where there is no server. Call this repeatedly, until the job has ended."""
        if status == "IN_PROGRESS":
            self._runner().run(self._opener(domain_name), job_id)
        elif status != "CREATED":
            self._runner().wait_until_idle()
            self._has_loaded = True

    def run_undo(self, domain_name: str, job_id: str, status: str) -> None:
        """Run the undo of a job where there is no server. Call this repeatedly, until the undo has ended."""
        from openprofiles.uploads.undos import read_undo

        if status == "IN_PROGRESS":
            with self._call().reading(domain_name) as session:
                undo_id = read_undo(session, job_id).job.job_id
            self._runner().run(self._opener(domain_name), undo_id)
        elif self._known_runner is not None:
            self._known_runner.wait_until_idle()

    def allow_exports(self, folder: Path) -> None:
        """Let exports go to a folder, whatever the settings allow."""
        self._settings = replace(self._settings, export_folder=folder)

    def run_reading_job(self, job_id: str) -> None:
        """Run a job that only reads where there is no server. Call this repeatedly, until the job has ended."""
        self._runner().run_alone(job_id)

    def close(self) -> None:
        """Let go of everything; a job of ours that still runs is given back and can be taken up later."""
        if self._known_runner is not None:
            if self._has_loaded:
                self._known_runner.clean()
            self._known_runner.close()
        self._store.close()

    def _answer(self, answering: Handler, request: Mapping[str, Any]) -> Any:
        with self._refusals():
            return answering(self._call(), request)

    def _call(self) -> Call:
        return Call(
            settings=self._settings,
            store=self._store,
            read_master_key=lambda: self._master_key,
            principal=_PRINCIPAL,
            request_id="",
            region=self._settings.region,
            now=utc_now(),
            base_url="",
        )

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (DomainError, WireError) as error:
            known = error if isinstance(error, WireError) else to_wire_error(error)
            if known is None:
                raise
            raise refusal(known.code, known.message, self.domain_names) from error

    def _opener(self, domain_name: str) -> OpenReading:
        return partial(self._call().reading, domain_name)

    def _runner(self) -> JobRunner:
        if self._known_runner is None:
            # With all that a worker needs: a fifth of a second that a command which only looks at jobs saves.
            from openprofiles.cli.job_runner import JobRunner

            self._known_runner = JobRunner(self._settings, self._store)
        return self._known_runner

    @cached_property
    def _master_key(self) -> MasterKey:
        return read_master_key(self._settings.master_key_path)

    @cached_property
    def _files(self) -> Files:
        from openprofiles.uploads.arrival.files import open_own_files

        return open_own_files(self._settings, self._master_key)
