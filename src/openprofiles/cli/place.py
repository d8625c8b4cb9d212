"""The place of a domain's upload jobs and mappings: the store itself, or a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from openprofiles.cli.api_requests import checked_request
from openprofiles.cli.exit_statuses import CommandFault, MissingDomain, Refused
from openprofiles.wire.model import load_model, load_own_model

if TYPE_CHECKING:
    from openprofiles.cli.transport_local import LocalTransport
    from openprofiles.cli.transport_remote import RemoteTransport
    from openprofiles.settings import Settings

    # Both have the same methods, which ``LocalTransport`` explains.
    Transport: TypeAlias = "LocalTransport | RemoteTransport"

NEW_DOMAIN_EXPIRATION_DAYS = 1098

_BAD_REQUEST, _ACCESS_DENIED = "BadRequestException", "AccessDeniedException"


@dataclass(frozen=True, slots=True)
class ImportDomain:
    """The domain that a file goes to.

    Attributes:
        expiration_days: how long its profiles live after they were last touched.
        was_created: whether it was missing and has been made.
        phone_region: the country (ISO 3166) of its phone numbers without a country code.
        is_of_server: whether a server has it, which chooses the country of new domains.
    """

    name: str
    expiration_days: int
    was_created: bool
    phone_region: str
    is_of_server: bool


class Place:
    """The operations of a store or a server.

    Every method raises CommandFault when it cannot be done; it is ``Refused`` if an operation refuses its request.

    Attributes:
        transport: for what is different on a store and through a server.
        left_out_options: whether a job was made without its options, since the server takes none.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.left_out_options = False

    def call(self, operation: str, **members: Any) -> Any:
        """Call an operation of AWS; return its answer."""
        return self.transport.call(operation, checked_request(load_model(), operation, members))

    def own(self, operation: str, **members: Any) -> dict[str, Any]:
        """Call an operation of our own; return the document of its answer, with times as epoch seconds."""
        return self.transport.own(operation, checked_request(load_own_model(), operation, members))

    def call_items(self, operation: str, items: str = "Items", **members: Any) -> Iterator[Mapping[str, Any]]:
        """Yield the items of all pages of an operation of AWS; ``items``: the member that has them."""
        return _items(partial(self.call, operation, **members), items)

    def own_items(self, operation: str, **members: Any) -> Iterator[Mapping[str, Any]]:
        """Yield the items of all pages of an operation of our own."""
        return _items(partial(self.own, operation, **members), "Items")

    def find_domain(self, name: str, *, was_created: bool = False) -> ImportDomain | None:
        """Find the domain of this name; None if there is none.

        Args:
            was_created: whether it was missing and has been made.
        """
        try:
            found = self.own("GetDomainSettings", DomainName=name)
        except MissingDomain:
            return None
        return ImportDomain(
            name, found["DefaultExpirationDays"], was_created, found["PhoneRegion"], self.transport.is_server
        )

    def create_domain(self, name: str) -> ImportDomain:
        """Create a domain with 1098 days."""
        self.call("CreateDomain", DomainName=name, DefaultExpirationDays=NEW_DOMAIN_EXPIRATION_DAYS)
        made = self.find_domain(name, was_created=True)
        if made is None:
            raise CommandFault(f"The domain {name} was deleted just after it had been created.")
        return made

    def list_attributes(self, domain_name: str) -> Sequence[str]:
        """List the custom attributes that the latest upload jobs of a domain have loaded.

        There are none without a domain, or without the permission to see them.
        """
        try:
            names: list[str] = self.own("GetKnownAttributes", DomainName=domain_name)["Attributes"]
        except (MissingDomain, Refused):
            return ()
        return names

    def create_upload_job(
        self, *, options: Mapping[str, Any] | None, needs_options: bool = True, **members: Any
    ) -> str:
        """Make an upload job; return its id.

        Args:
            needs_options: False: make it even on a server that accepts no options.
            members: the others of CreateUploadJob.
        """
        try:
            return str(self.own("CreateUploadJob", **members, Options=options)["JobId"])
        except Refused as refused:
            if options is None or needs_options or refused.code not in (_BAD_REQUEST, _ACCESS_DENIED):
                raise
        # A strict server, or a credential for AWS's operations alone. What else is wrong is reported again.
        job_id = str(self.own("CreateUploadJob", **members)["JobId"])
        self.left_out_options = True
        return job_id

    def discard_upload_job(self, domain_name: str, job_id: str) -> None:
        """Stop a job that was not started, and remove its file."""
        self.call("StopUploadJob", DomainName=domain_name, JobId=job_id)
        self.transport.remove_file(domain_name, job_id)

    def read_failed_rows_file(self, domain_name: str, job_id: str, *, for_spreadsheet: bool = False) -> Iterator[bytes]:
        """Read the file of all failed rows, part by part: see ``uploads.failures.failed_rows_csv``."""
        form = "spreadsheet" if for_spreadsheet else None
        given = {"DomainName": domain_name, "JobId": job_id, "Form": form}
        name = "GetFailedRowsFile"
        return self.transport.read_file(name, checked_request(load_own_model(), name, given))

    def close(self) -> None:
        """Let go of everything."""
        self.transport.close()


def open_place(settings: Settings, endpoint_url: str | None, *, for_import: bool = False) -> Place:
    """Open the server at this address, or else the store that the settings name.

    Args:
        for_import: create a store that does not exist, and use it as a worker does.

    Raises:
        CommandFault: there is no store, or the address is not one.
        SettingsError: the store cannot be used.
    """
    if endpoint_url is None:
        from openprofiles.cli.transport_local import LocalTransport

        return Place(LocalTransport(settings, for_import=for_import))
    from openprofiles.cli.transport_remote import RemoteTransport

    return Place(RemoteTransport(_check_endpoint_url(endpoint_url)))


def _items(ask: Callable[..., Mapping[str, Any]], items: str) -> Iterator[Mapping[str, Any]]:
    token: str | None = None
    while True:
        page = ask(NextToken=token)
        yield from page[items]
        token = page.get("NextToken")
        if token is None:
            return


def _check_endpoint_url(url: str) -> str:
    """Return the address as it was given.

    Raises:
        CommandFault: it is not an address.
    """
    message = f"--endpoint-url {url} is not a valid address. Write an address such as http://127.0.0.1:8420."
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise CommandFault(message) from error
    if not is_address:
        raise CommandFault(message)
    return url
