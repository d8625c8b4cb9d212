"""The operations of a server: of commands with ``--endpoint-url``. Needs boto3."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import Any, BinaryIO

import boto3
import requests
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.server_faults import server_errors_in_words
from openprofiles.own_operations import create_operations_client

_TIMEOUT_SECONDS = 60.0
_PART_BYTES = 256 * 1024
_XML_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)


class RemoteTransport:
    """A server; its methods are those of ``LocalTransport``.

    Args:
        session: with credentials and region; by default as boto3 finds them.
    """

    sending = "Sending"
    is_server = True

    def __init__(self, endpoint_url: str, session: boto3.Session | None = None) -> None:
        self._address = endpoint_url.rstrip("/")
        session = session or boto3.Session()
        with server_errors_in_words(self._address):
            self._own = create_operations_client(session, self._address)
            self._aws = session.client(
                "customer-profiles", endpoint_url=self._address, region_name=self._own.meta.region_name
            )
        self._sending = requests.Session()
        # The URL is signed already; credentials from a .netrc file must not replace the signature.
        self._sending.auth = lambda request: request

    def call(self, operation: str, request: Mapping[str, Any]) -> Any:
        return self._ask(self._aws, operation, request)

    def own(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask(self._own, operation, request)

    def read_file(self, operation: str, request: Mapping[str, Any]) -> Iterator[bytes]:
        with self._errors_in_words(), closing(self.own(operation, request)["Body"]) as body:
            yield from body.iter_chunks(_PART_BYTES)

    def domain_names(self) -> Sequence[str]:
        with suppress(ClientError, BotoCoreError):
            return [item["DomainName"] for item in self._aws.list_domains()["Items"]]
        return []

    def send_file(self, domain_name: str, job_id: str, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        with self._errors_in_words():
            target = self.own("GetUploadTarget", {"DomainName": domain_name, "JobId": job_id})
            answer = self._sending.put(
                self._address + target["Path"],
                data=_CountedFile(file, on_sent),
                headers={**target["Headers"], "Content-Type": "text/csv"},
                timeout=_TIMEOUT_SECONDS,
            )
        if not answer.ok:
            told = _XML_MESSAGE.search(answer.text)
            reason = html.unescape(told[1]) if told else f"it answered {answer.status_code}"
            raise CommandFault(f"The server did not accept the file: {reason}")

    def write_words(self, domain_name: str, on_begin: Callable[[], None]) -> None:
        """Leave that to the workers of the server."""

    def remove_file(self, domain_name: str, job_id: str) -> None:
        """Leave it to the server, like the next four."""

    def run_job(self, domain_name: str, job_id: str, status: str) -> None: ...

    def run_undo(self, domain_name: str, job_id: str, status: str) -> None: ...

    def allow_exports(self, folder: Path) -> None: ...

    def run_reading_job(self, job_id: str) -> None: ...

    def close(self) -> None:
        self._own.close()
        self._aws.close()
        self._sending.close()

    def _ask(self, client: Any, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._errors_in_words():
            answer: dict[str, Any] = getattr(client, xform_name(operation))(**request)
        del answer["ResponseMetadata"]
        return answer

    def _errors_in_words(self) -> AbstractContextManager[None]:
        return server_errors_in_words(self._address, self.domain_names)


class _CountedFile:
    """A file that requests sends as a stream, and that says how much of it is gone."""

    def __init__(self, file: BinaryIO, on_sent: Callable[[int], None]) -> None:
        self._file = file
        self._on_sent = on_sent
        self._size_bytes = os.fstat(file.fileno()).st_size
        self._sent_bytes = 0

    def __len__(self) -> int:
        return self._size_bytes

    def read(self, size_bytes: int = -1) -> bytes:
        data = self._file.read(size_bytes)
        self._sent_bytes += len(data)
        self._on_sent(self._sent_bytes)
        return data
