"""Copy the uploaded files that jobs still need to the storage of another store."""

from __future__ import annotations

from collections.abc import Iterable

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
    for job_id in copy_files(needed, source, target):
        raise InvalidRequest(
            f"The uploaded file of upload job {job_id} is missing from {source.place}. Restore it, or stop the job."
        )
    return len(needed)


def copy_files(needed: Iterable[tuple[str, str]], source: Files, target: Files) -> list[str]:
    """Copy the files of these jobs, given with their names, unless the target has them.

    Returns:
        ids of the jobs whose file is missing.
    """
    return [job_id for job_id, name in needed if not _is_there(target, name) and not _is_copied(name, source, target)]


def _is_copied(name: str, source: Files, target: Files) -> bool:
    try:
        with source.open(name) as file:
            copy = target.create(name)
            try:
                while piece := file.read(_PIECE_BYTES):
                    copy.write(piece)
                copy.publish()
            finally:
                copy.discard()
    except FileNotFoundError:
        return False
    return True


def _is_there(files: Files, name: str) -> bool:
    try:
        with files.open(name):
            return True
    except FileNotFoundError:
        return False
