"""The options of an upload job and the form of its file, as members of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

from openprofiles.member_names import attribute_name, attributes_of, member_name, members_of
from openprofiles.uploads.job_options import JobOptions
from openprofiles.uploads.reading.file_form import FileForm, FileOptions
from openprofiles.uploads.value_checks import ValueCheck
from openprofiles.wire.given_requests import read_structure
from openprofiles.wire.model import load_own_model

if TYPE_CHECKING:
    from openprofiles.operations.call import Call
    from openprofiles.wire import own_types as own

_FORM = tuple(field.name for field in fields(FileOptions))
_POLICIES = ("write_mode", "blank_cells", "short_rows", "hand_set_fields", "doubtful_rows")


SETTING_OPTIONS = "openprofiles:SetUploadJobOptions"


def may_set_options(call: Call) -> bool:
    """Return whether the caller may give a job options on this server."""
    return call.principal.may_do(SETTING_OPTIONS) and not call.strict


def check_options(given: Mapping[str, Any]) -> JobOptions:
    """Check and read options that do not come with a request.

    Raises:
        WireError: a member is unknown or not as the model says; the message names it.
        InvalidRequest: a value is not possible.
    """
    shape = load_own_model().structures["UploadJobOptions"]
    return read_options(cast("own.UploadJobOptions", read_structure(shape, given)))


def read_options(given: own.UploadJobOptions) -> JobOptions:
    """Read the options of a request.

    Raises:
        InvalidRequest: a value is not possible.
    """
    limit, webhook = given.get("FailureLimit", {}), given.get("Webhook", {})
    return JobOptions(
        file=FileOptions(**attributes_of(given.get("File", {}))),
        checks={
            name: ValueCheck(kind=check["Type"], values=tuple(check.get("Values", ())), pattern=check.get("Pattern"))
            for name, check in given.get("Checks", {}).items()
        },
        max_failed_records=limit.get("Records"),
        max_failed_percent=limit.get("Percent"),
        webhook_url=webhook.get("Url"),
        **{name: value for name, value in attributes_of(given).items() if name in _POLICIES},
    )


def options_members(options: JobOptions) -> own.UploadJobOptions:
    """Return the options that hold; of the form of the file, those that are not left to detection."""
    limit = {"Records": options.max_failed_records, "Percent": options.max_failed_percent}
    members = {
        "File": members_of(options.file, *_FORM),
        **members_of(options, *_POLICIES),
        "FailureLimit": {name: value for name, value in limit.items() if value is not None},
        "Checks": {
            name: members_of(check, "pattern")
            | {"Type": check.kind}
            | ({"Values": list(check.values)} if check.values else {})
            for name, check in options.checks.items()
        },
        "Webhook": {} if options.webhook_url is None else {"Url": options.webhook_url},
    }
    return cast("own.UploadJobOptions", members)


def form_members(form: FileForm) -> own.FileForm:
    """Return the form that a file was read in."""
    members = {
        **members_of(form, "compression", "encoding", "line_ends"),
        "ByteOrderMark": form.has_byte_order_mark,
        "Given": [member_name(name) for name in form.given],
    }
    # A line with a JSON object has neither a delimiter nor a header.
    more = {"JsonLines": True, "Given": []} if form.is_json_lines else members_of(form, *_FORM)
    return cast("own.FileForm", members | more)


def read_form(members: Mapping[str, Any]) -> FileForm:
    """Read the form that ``form_members`` has returned."""
    if members.get("JsonLines"):
        return FileForm.json_lines(members["Compression"])
    attributes = attributes_of(members)
    return FileForm(
        has_byte_order_mark=attributes.pop("byte_order_mark"),
        given=tuple(map(attribute_name, attributes.pop("given"))),
        **attributes,
    )
