"""Share what every step needs that writes the records of a file."""

from __future__ import annotations

from dataclasses import dataclass

from openprofiles.bulk.profile_work import ProfileWork
from openprofiles.bulk.steps import WriteEnded
from openprofiles.store.leased_jobs import LeasedUpload
from openprofiles.uploads.failures.failed_row_content import FailedRowContents
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.mappings.upload_mapping import UploadMapping


class TooManyFailed(WriteEnded):
    """More rows have failed than the job may have; the chunks so far were written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(ProfileWork):
    """What the steps that write the records share.

    Attributes:
        bytes_per_record: in the file, on average.
        all_new: whether each record that is loaded makes a new profile of its own: see ``plan``.
    """

    job: LeasedUpload
    mapping: UploadMapping
    options: JobOptions
    bytes_per_record: int
    all_new: bool
    pid_base: int
    failed_rows: FailedRowContents
