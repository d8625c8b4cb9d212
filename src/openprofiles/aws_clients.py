"""Clients of services with AWS's protocols: an object store, for uploaded files and exports, and Kinesis."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

# Requests are retried by the library.
_TRIES = 3
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
# A feed is leased for half a minute.
_KINESIS_SECONDS = 5

# What a request raises.
ERRORS = (BotoCoreError, ClientError)


def make_s3_client() -> Any:
    """Make a client with the address, keys and region that AWS programs find."""
    # With a given address the bucket goes into the path, not into the host name: self-hosted object stores seldom have
    # a host name for each bucket.
    is_given = bool(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))
    return boto3.session.Session().client(
        "s3",
        config=Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "max_attempts": _TRIES},
            s3={"addressing_style": "path"} if is_given else {},
            # Not every object store knows these.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


@cache
def kinesis_client(region: str) -> Any:
    """Return a client for a region, with the address and keys that AWS programs find; for all threads."""
    # What fails is sent again by the feed.
    config = Config(connect_timeout=_KINESIS_SECONDS, read_timeout=_KINESIS_SECONDS, retries={"total_max_attempts": 1})
    return boto3.session.Session().client("kinesis", region_name=region, config=config)


def fault_of(error: BaseException) -> str:
    """Return what a service answered, or what kept it from answering, in a word."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "an error without a code"))
    if isinstance(error, NoCredentialsError):
        return "no keys are set"
    return type(error).__name__
