"""The AWS CLI brings a botocore and a model of its own, older than ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openprofiles.wire.app import Context, WireApp
from openprofiles.wire.errors import WireError
from wire.samples import TAG_ARN
from wire.served import ACCESS_KEY_ID, MODEL, SECRET, allow_everything, serve, verify_signature

AWS = Path(sys.executable).with_name("aws")


def run_aws(
    address: str, *arguments: str, keys: tuple[str, str] = (ACCESS_KEY_ID, SECRET)
) -> subprocess.CompletedProcess[str]:
    """Run ``aws customer-profiles`` to its end, without settings of this machine.

    Args:
        keys: the access key id and the secret.
    """
    access_key_id, secret = keys
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **kept,
        "AWS_ENDPOINT_URL_CUSTOMER_PROFILES": address,
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.run(
        [str(AWS), "customer-profiles", *arguments, "--output", "json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_aws_cli_sends_arns_and_reads_timestamps_and_errors() -> None:
    seen: list[dict[str, Any]] = []

    def tag_resource(context: Context[str], request: dict[str, Any]) -> dict[str, Any]:
        seen.append(request)
        return {}

    def get_upload_job(context: Context[str], request: dict[str, Any]) -> dict[str, Any]:
        return {"JobId": request["JobId"], "CreatedAt": datetime(2026, 1, 31, 12, 30, 45, 678000, UTC)}

    def get_domain(context: Context[str], request: dict[str, Any]) -> dict[str, Any]:
        raise WireError("ResourceNotFoundException", "Domain d does not exist.")

    handlers = {"TagResource": tag_resource, "GetUploadJob": get_upload_job, "GetDomain": get_domain}
    with serve(WireApp(MODEL, handlers, verify_signature, allow_everything, version="1.2.3")) as address:
        tagged = run_aws(address, "tag-resource", "--resource-arn", TAG_ARN, "--tags", "team=a b")
        job = run_aws(address, "get-upload-job", "--domain-name", "d", "--job-id", "0" * 32)
        missing = run_aws(address, "get-domain", "--domain-name", "d")

    assert tagged.returncode == 0, tagged.stderr
    assert seen == [{"resourceArn": TAG_ARN, "tags": {"team": "a b"}}]
    assert job.returncode == 0, job.stderr
    assert json.loads(job.stdout) == {"JobId": "0" * 32, "CreatedAt": 1769862645.678}
    assert missing.returncode != 0
    assert (
        "(ResourceNotFoundException) when calling the GetDomain operation: Domain d does not exist." in missing.stderr
    )
