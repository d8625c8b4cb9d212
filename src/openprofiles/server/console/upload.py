"""The page that imports a file: a sample, the mapping of its columns, a check, and then the import.

The page's script calls operations. Here is what is not one: the page, a sheet of a workbook as CSV, and a download.
"""

from __future__ import annotations

import json
from itertools import chain

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from openprofiles.errors import InvalidRequest
from openprofiles.facts.field_labels import full_label_of
from openprofiles.facts.records import Domain
from openprofiles.facts.standard_profile import FIELDS, TWINS
from openprofiles.operations.job_options import SETTING_OPTIONS
from openprofiles.server.console.domains import MAX_EXPIRATION_DAYS
from openprofiles.server.console.failed_rows import parts_of_file, send_as_csv
from openprofiles.server.console.page_permissions import NEEDS, Page, path_of_tab
from openprofiles.server.console.render import PAGE_HEADERS
from openprofiles.server.console.visitors import Visitor, signed_in, takes_file
from openprofiles.server.services import Services
from openprofiles.uploads import jobs, previews
from openprofiles.uploads.mappings import saved_mappings
from openprofiles.uploads.mappings.suggest import SuggestedField
from openprofiles.uploads.reading.file_choices import FileChoices
from openprofiles.uploads.reading.file_form import DELIMITER_NAMES, TABLE_OPTIONS, encodings
from openprofiles.worker.table_process import convert_in_process

# The part of a file that is sampled: enough for some thousand rows.
SAMPLE_BYTES = 512 * 1024

_READING = "profile:GetUploadJob"
# What it unpacks to has a limit of its own.
MAX_WORKBOOK_BYTES = 200_000_000
_WORKBOOKS_AT_ONCE = 2


def routes(services: Services) -> list[Route]:
    """Return the routes of ``/console/domains/{domain_name}/upload``."""
    page = "/console/domains/{domain_name}/upload"
    return [
        Route(page, signed_in(services, show_page), methods=["GET"]),
        Route(
            f"{page}/workbook",
            takes_file(
                services,
                convert_workbook,
                may_send=_require_workbooks,
                max_bytes=min(MAX_WORKBOOK_BYTES, services.settings.max_upload_size_bytes),
                max_at_once=_WORKBOOKS_AT_ONCE,
            ),
            methods=["POST"],
        ),
        # The preview is in the query: without the name of the file, it is the path of the page.
        Route(f"{page}/failed-rows.csv", signed_in(services, send_failed_rows), methods=["GET"]),
    ]


def show_page(visitor: Visitor) -> Response:
    """Show the page without a file."""
    settings = visitor.services.settings
    usual_checks = {field.path: SuggestedField("", "", field.path).usual_check for field in FIELDS}
    checked = {path: check for path, check in usual_checks.items() if check}
    mappings = None
    with visitor.reading(*NEEDS[Page.UPLOAD]) as session:
        domain = session.domain
        if visitor.may(_READING, domain.name):
            mappings = saved_mappings.list_mappings(session).definitions
    max_days = jobs.STRICT_MAX_DATA_EXPIRY_DAYS if settings.compat_strict else MAX_EXPIRATION_DAYS
    detected = {"": "Detect automatically"}
    jobs_path = path_of_tab(Page.JOBS, domain.name)
    pages = (Page.JOB, f"{jobs_path}/JOB_ID"), (Page.JOBS, jobs_path)
    return visitor.page(
        "upload.html",
        domain=domain,
        targets={field.path: full_label_of(field.path) for field in FIELDS},
        checked=checked,
        twins={name: twin for name, (twin, _) in TWINS.items()},
        delimiters=detected | {delimiter: name.capitalize() for delimiter, name in DELIMITER_NAMES.items()},
        mappings=mappings,
        encodings=detected | {name: name for name in encodings()},
        is_strict=settings.compat_strict,
        may_set_options=_may_set_options(visitor, domain),
        may_preview=visitor.may("openprofiles:PreviewUploadJob", domain.name) and visitor.may(_READING, domain.name),
        may_stop=visitor.may("profile:StopUploadJob", domain.name),
        may_start=visitor.may("profile:StartUploadJob", domain.name),
        sample_bytes=SAMPLE_BYTES,
        job_page=visitor.path_after(domain.name, "job-started", *pages),
        max_size_bytes=settings.max_upload_size_bytes,
        max_workbook_bytes=min(MAX_WORKBOOK_BYTES, settings.max_upload_size_bytes),
        workbook_form=FileChoices(file=TABLE_OPTIONS).to_document(),
        days=min(domain.default_expiration_days, max_days),
        max_days=max_days,
    )


def convert_workbook(visitor: Visitor) -> Response:
    """Return a sheet of a workbook as CSV, after a JSON document about it; the header says where the CSV begins."""
    assert visitor.file is not None, "the route takes a file"
    settings = visitor.services.settings
    table = convert_in_process(
        visitor.file,
        visitor.request.query_params.get("sheet"),
        max_unpacked_bytes=settings.max_upload_size_bytes,
    )
    document = json.dumps(table.account).encode()
    return StreamingResponse(
        chain([document], parts_of_file(table.csv)),
        media_type="application/octet-stream",
        headers=PAGE_HEADERS | {"X-Document-Bytes": str(len(document))},
    )


def _require_workbooks(visitor: Visitor) -> None:
    """Raise an error unless the visitor may send a workbook."""
    domain = visitor.domain(*NEEDS[Page.UPLOAD])
    if not _may_set_options(visitor, domain):
        # How its CSV is written has to be said in the options of the job.
        raise InvalidRequest("Excel workbooks cannot be imported with your access key. Save the sheet as CSV.")


def send_failed_rows(visitor: Visitor) -> Response:
    """Send the rows that would fail as a CSV file that can be fixed."""
    preview_id = visitor.request.query_params.get("preview", "")
    with visitor.reading(_READING) as session:
        previews.read_preview(session, visitor.services.master_key, preview_id)
    # The link to it names the file.
    return send_as_csv(visitor, preview_id, "attachment")


def _may_set_options(visitor: Visitor, domain: Domain) -> bool:
    """Return whether the page offers the options of a job."""
    return visitor.may(SETTING_OPTIONS, domain.name) and not visitor.services.settings.compat_strict
