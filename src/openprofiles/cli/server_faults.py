"""What goes wrong between a command and a server, in sentences for people. Needs boto3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from openprofiles.cli.exit_statuses import CommandFault


@contextmanager
def told_in_a_sentence(endpoint_url: str) -> Iterator[None]:
    """For a call of the server.

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
        detail = error.response.get("Error", {})
        raise CommandFault(
            f"The server refused {error.operation_name}: {detail.get('Message') or detail.get('Code')}"
        ) from error
    except BotoCoreError as error:
        raise CommandFault(f"The server at {endpoint_url} cannot be used: {error}") from error
    except requests.RequestException as error:
        # What requests says holds the upload's URL, and that is signed: whoever reads it could send a file.
        raise CommandFault(
            f"The connection to {endpoint_url} broke ({type(error).__name__}). Is the server running?"
        ) from error
