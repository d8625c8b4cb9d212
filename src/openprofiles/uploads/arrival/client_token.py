"""An upload job's key, the ``ClientToken``: the store keeps it wrapped by the master key."""

from __future__ import annotations

from openprofiles.master_key import MasterKey

CLIENT_TOKEN_BYTES = 32

_PURPOSE = "upload client token"


def encrypt_client_token(master_key: MasterKey, token: bytes, job_id: str) -> bytes:
    """Encrypt the job's key for the store."""
    return master_key.encrypt(_PURPOSE, token, job_id.encode())


def decrypt_client_token(master_key: MasterKey, wrapped: bytes, job_id: str) -> bytes:
    """Decrypt the job's key that the store keeps."""
    return master_key.decrypt(_PURPOSE, wrapped, job_id.encode())
