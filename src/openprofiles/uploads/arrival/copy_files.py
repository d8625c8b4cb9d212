"""Copies the uploaded files that jobs still need to where another store keeps its own."""

from __future__ import annotations

from openprofiles.errors import InvalidRequest
from openprofiles.store import upload_jobs
from openprofiles.store.connections import Store
from openprofiles.uploads.arrival.files import Files

_PIECE_BYTES = 1 << 20


def copy_job_files(store: Store, source: Files, target: Files) -> int:
    """Copy the files of jobs that have not ended, as they are: both stores have one master key.

    Those that are there already, from a copy that was interrupted, are left alone.

    Returns:
        how many there are.

    Raises:
        InvalidRequest: a file is missing although its job needs it.
    """
    with store.read() as connection:
        needed = upload_jobs.list_job_files(connection)
    for job_id, name in needed:
        if not _is_there(target, name):
            _copy(job_id, name, source, target)
    return len(needed)


def _copy(job_id: str, name: str, source: Files, target: Files) -> None:
    try:
        with source.open(name) as file:
            copy = target.create(name)
            try:
                while piece := file.read(_PIECE_BYTES):
                    copy.write(piece)
                copy.publish()
            finally:
                copy.discard()
    except FileNotFoundError as error:
        raise InvalidRequest(
            f"The uploaded file of upload job {job_id} is missing in {source.place}. Put it back, or stop the job."
        ) from error


def _is_there(files: Files, name: str) -> bool:
    try:
        with files.open(name):
            return True
    except FileNotFoundError:
        return False
