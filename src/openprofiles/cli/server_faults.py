"""Describe in sentences for people what goes wrong between a command and a server. Needs boto3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

import boto3
import requests
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, SSLError
from botocore.parsers import ResponseParserError

from openprofiles.cli.exit_statuses import CommandFault
from openprofiles.cli.missing_domain import refusal

_NOT_FOUND = "ResourceNotFoundException"
_UNKNOWN_KEY = "UnrecognizedClientException"
_BAD_SIGNATURE = "InvalidSignatureException"
# The one sentence of AWS that means a wrong secret; other faults of a signature say what they are.
_WRONG_SECRET = "signature we calculated does not match"  # noqa: S105 - a part of a message

# What OpenSSL calls an answer in plain HTTP, depending on its version.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


@contextmanager
def server_errors_in_words(endpoint_url: str, domain_names: Callable[[], Sequence[str]] = tuple) -> Iterator[None]:
    """Turn what goes wrong in a call of the server into a sentence.

    Args:
        domain_names: lists the server's domains.

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
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise refusal(code, _describe_refusal(endpoint_url, code, error), domain_names) from error
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


def _describe_refusal(endpoint_url: str, code: str, error: ClientError) -> str:
    message = str(error.response.get("Error", {}).get("Message") or code)
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
