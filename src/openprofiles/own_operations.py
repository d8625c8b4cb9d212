"""A botocore client for the operations that openprofiles has besides those of AWS. Needs boto3."""

from __future__ import annotations

import json
from typing import Any, cast
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ConnectionError as AnyConnectionError
from botocore.exceptions import EndpointConnectionError, HTTPClientError, SSLError, UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel
from botocore.parsers import ResponseParserFactory

from openprofiles.wire import model

_SERVICE = "openprofiles"
_DEFAULT_REGION = "us-east-1"
_TIMEOUT_SECONDS = 60.0
_MAX_ATTEMPTS = 7
_FIRST_PAUSE_SECONDS = 0.5
_REPEATED_STATUSES = frozenset((429, 502, 503, 504))


def create_operations_client(session: boto3.Session | None = None, endpoint_url: str | None = None) -> Any:
    """Create a botocore client for openprofiles' own operations.

    It has a method for each operation of ``wire/own_model.json``, such as ``get_progress(DomainName=..., JobId=...)``,
    and paginators. Timestamps are seconds since 1970.

    Args:
        session: with credentials, region and configuration; by default as boto3 finds them.
        endpoint_url: the server's address; by default as the AWS SDKs find it (``AWS_ENDPOINT_URL_CUSTOMER_PROFILES``).

    Raises:
        ValueError: the address is not known.
    """
    session = session or boto3.Session()
    region = session.region_name or _DEFAULT_REGION
    if endpoint_url is None:
        of_aws = session.client("customer-profiles", region_name=region)
        endpoint_url = of_aws.meta.endpoint_url
        of_aws.close()
        if (urlsplit(endpoint_url).hostname or "").endswith(".amazonaws.com"):
            # Neither a file nor a signature of ours is for AWS, which has none of these operations.
            raise ValueError(
                "The address of the server is not known. Pass it as endpoint_url, or set "
                "AWS_ENDPOINT_URL_CUSTOMER_PROFILES; `openprofiles env` prints it."
            )
    # A session's name for "no profile" is "default", which botocore would look for.
    profile = session.profile_name if session.profile_name in session.available_profiles else None
    own = botocore.session.Session(profile=profile)
    own.register_component("credential_provider", _SessionCredentials(session))
    own.register_component("data_loader", _ModelLoader())
    parsers = ResponseParserFactory()
    parsers.set_parser_defaults(timestamp_parser=float)
    own.register_component("response_parser_factory", parsers)
    # Each operation decides on its own whether it is sent again.
    own.register(f"needs-retry.{_SERVICE}", cast(Any, _Repeats()))
    # Otherwise errors would say that all attempts were made, of which botocore knows one.
    without_attempts = lambda parsed, **_: parsed["ResponseMetadata"].pop("MaxAttemptsReached", 0)  # noqa: E731
    own.register(f"after-call.{_SERVICE}", cast(Any, without_attempts))
    config = Config(
        connect_timeout=_TIMEOUT_SECONDS,
        read_timeout=_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    return own.create_client(_SERVICE, region_name=region, endpoint_url=endpoint_url, config=config)


class _SessionCredentials:
    """The credentials of a boto3 session, which refreshes them where they expire."""

    def __init__(self, session: boto3.Session) -> None:
        self._session = session

    def load_credentials(self) -> Credentials | None:
        """Return the credentials; None if there are none."""
        return self._session.get_credentials()


class _ModelLoader(Loader):
    """A loader that knows the model of openprofiles, besides botocore's own data."""

    def load_service_model(self, service_name: str, type_name: str, api_version: Any | None = None) -> Any:
        if service_name != _SERVICE:
            return super().load_service_model(service_name, type_name, api_version)
        if type_name not in ("service-2", "paginators-1"):
            raise UnknownServiceError(service_name=service_name, known_service_names="none")
        # The paginators have a member of their own, which botocore does not look for in a service.
        return json.loads(model.OWN_MODEL_PATH.read_bytes())


class _Repeats:
    """The rule for which requests of a client are sent again, and when.

    A job continues while the server restarts or the network fails for a moment; so does watching it. A request that
    changes something, and has no token by which the server recognizes it, could have its effect twice. An address at
    which there has never been an answer is probably mistyped.
    """

    def __init__(self) -> None:
        self._has_answered = False

    def __call__(
        self,
        operation: OperationModel,
        attempts: int,
        response: tuple[Any, Any] | None,
        caught_exception: Exception | None,
        **_: Any,
    ) -> float | None:
        """Return for how many seconds to wait before a request is sent again; None if it is not."""
        self._has_answered |= response is not None
        is_repeatable = operation.http["method"] in ("GET", "PUT") or bool(operation.idempotent_members)
        is_hopeless = isinstance(caught_exception, SSLError) or (
            isinstance(caught_exception, EndpointConnectionError) and not self._has_answered
        )
        if not is_repeatable or is_hopeless or attempts >= _MAX_ATTEMPTS:
            return None
        if isinstance(caught_exception, AnyConnectionError | HTTPClientError) or (
            response is not None and response[0].status_code in _REPEATED_STATUSES
        ):
            return _FIRST_PAUSE_SECONDS * 2.0 ** (attempts - 1)
        return None
