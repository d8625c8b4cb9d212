"""An upload job's key, the ``ClientToken``: the store keeps it wrapped by the master key."""

from __future__ import annotations

from openprofiles.master_key import MasterKey

CLIENT_TOKEN_BYTES = 32

_PURPOSE = "upload client token"


def encrypt_client_token(master_key: MasterKey, token: bytes, job_id: str) -> bytes:
    """What the store keeps of the job's key."""
    return master_key.encrypt(_PURPOSE, token, job_id.encode())


def decrypt_client_token(master_key: MasterKey, wrapped: bytes, job_id: str) -> bytes:
    """The job's key, from what the store keeps of it."""
    return master_key.decrypt(_PURPOSE, wrapped, job_id.encode())
