"""Describe in sentences for people what goes wrong between a command and a server. Needs boto3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import boto3
import requests
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, SSLError
from botocore.parsers import ResponseParserError

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.missing_domain import describe_missing_domain

_NOT_FOUND = "ResourceNotFoundException"
_MISSING_DOMAIN = re.compile(r"Domain (.+) does not exist\.")
_UNKNOWN_KEY = "UnrecognizedClientException"
_BAD_SIGNATURE = "InvalidSignatureException"
# The one sentence of AWS that means a wrong secret; other faults of a signature say what they are.
_WRONG_SECRET = "signature we calculated does not match"  # noqa: S105 - a part of a message

# What OpenSSL calls an answer in plain HTTP, depending on its version.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


@contextmanager
def server_errors_in_words(endpoint_url: str) -> Iterator[None]:
    """Turn what goes wrong in a call of the server into a sentence.

    Raises:
        CommandFault: the server refused the call, or cannot be reached.
    """
    try:
        yield
    except NoCredentialsError as error:
        raise CommandFault(
            'No credentials were found. On the server\'s machine use: eval "$(openprofiles env)"; elsewhere set '
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    except ClientError as error:
        raise CommandFault(_describe_refusal(endpoint_url, error)) from error
    except ResponseParserError as error:
        raise CommandFault(_describe_other_answer(endpoint_url, "200")) from error
    except SSLError as error:
        raise CommandFault(_describe_tls_fault(endpoint_url, error)) from error
    except BotoCoreError as error:
        raise CommandFault(f"The server at {endpoint_url} cannot be used: {error}") from error
    except requests.RequestException as error:
        # The message of requests contains the upload's URL, and that is signed: anybody with it could send a file.
        raise CommandFault(
            f"The connection to {endpoint_url} broke ({type(error).__name__}). Is the server running?"
        ) from error


@contextmanager
def known_domain(client: Any) -> Iterator[None]:
    """Name similar domains if the server does not know the one of a call.

    Raises:
        CommandFault: it does not.
    """
    try:
        yield
    except ClientError as error:
        detail = error.response.get("Error", {})
        missing = _MISSING_DOMAIN.fullmatch(str(detail.get("Message")))
        if detail.get("Code") != _NOT_FOUND or missing is None:
            raise
        raise CommandFault(describe_missing_domain(missing[1], list_domain_names(client))) from error


def refusal_code(fault: Exception) -> str | None:
    """Return the code with which the server refused a call; None if it did not."""
    refused = fault.__cause__
    return str(refused.response["Error"]["Code"]) if isinstance(refused, ClientError) else None


def list_domain_names(client: Any) -> list[str]:
    """List the first domains of a server; none if the credential has no permission for that."""
    with suppress(ClientError, BotoCoreError):
        return [item["DomainName"] for item in client.list_domains()["Items"]]
    return []


def _describe_refusal(endpoint_url: str, error: ClientError) -> str:
    detail = error.response.get("Error", {})
    code, message = str(detail.get("Code", "")), str(detail.get("Message") or detail.get("Code"))
    if code == _UNKNOWN_KEY:
        return (
            f"The server at {endpoint_url} does not know the access key{_access_key_id()}. Its administrator can list "
            "the keys with: openprofiles credentials list"
        )
    if code == _BAD_SIGNATURE and _WRONG_SECRET in message:
        return f"The secret does not belong to the access key{_access_key_id()}. Check AWS_SECRET_ACCESS_KEY."
    if code.isdigit() or "<html" in message.lower():
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", code)
        return _describe_other_answer(endpoint_url, str(status))
    if code == _NOT_FOUND:
        return message
    return f"The server refused {error.operation_name}: {message}"


def _describe_other_answer(endpoint_url: str, status: str) -> str:
    """Report that something other than the API answers, without its web page."""
    parts = urlsplit(endpoint_url)
    base = f"{parts.scheme}://{parts.netloc}"
    hint = f"Try --endpoint-url {base}" if parts.path.strip("/") else "Check the address."
    return f"The response from {endpoint_url} (HTTP status {status}) did not come from the openprofiles API. {hint}"


def _describe_tls_fault(endpoint_url: str, error: SSLError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            f"The certificate of the server at {endpoint_url} could not be verified. If a private authority issued it, "
            "set AWS_CA_BUNDLE and REQUESTS_CA_BUNDLE to the file with the certificate of that authority."
        )
    if any(reason in str(error) for reason in _NOT_TLS):
        return f"The server at {endpoint_url} does not speak HTTPS. Use http://{urlsplit(endpoint_url).netloc}"
    return f"The server at {endpoint_url} cannot be used: {error}"


def _access_key_id() -> str:
    """Return the key of the environment after a blank; a program may have signed with another one."""
    credentials = boto3.Session().get_credentials()
    return "" if credentials is None else f" {credentials.access_key}"
