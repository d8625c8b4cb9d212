"""The environment variables with which AWS SDKs and the AWS CLI use a server of ours."""

from __future__ import annotations

import os
from urllib.parse import urlsplit


def aws_environment(url: str, access_key_id: str, secret_access_key: str, region: str) -> dict[str, str]:
    """Return the variables with the endpoint, the key and the region, and without any proxy."""
    return {
        "AWS_ENDPOINT_URL_CUSTOMER_PROFILES": url,
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret_access_key,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **without_proxy(url),
    }


def without_proxy(url: str) -> dict[str, str]:
    """Return the variables with which programs use no proxy for a server.

    Other servers for which they use none stay in them.
    """
    # Programs read one spelling or the other, so both get the hosts of both.
    hosts = [name.strip() for key in ("NO_PROXY", "no_proxy") for name in os.environ.get(key, "").split(",")]
    no_proxy = ",".join(dict.fromkeys(name for name in [*hosts, urlsplit(url).hostname or ""] if name))
    return {"NO_PROXY": no_proxy, "no_proxy": no_proxy}
