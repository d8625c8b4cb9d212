"""The content of failed rows as the store keeps it: encrypted under a key of the job, which goes when the rows go.

Each row has a nonce of its own; its number is bound to it, so no row can take the place of another.
"""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from openprofiles.master_key import MasterKey

_PURPOSE = "failed rows"
_KEY_BYTES = 32
_NONCE_BYTES = 12


def make_failed_rows_key(master_key: MasterKey, job_id: str) -> bytes:
    """Make a new key for the failed rows of a job, encrypted for the store."""
    return encrypt_failed_rows_key(master_key, os.urandom(_KEY_BYTES), job_id)


def encrypt_failed_rows_key(master_key: MasterKey, key: bytes, job_id: str) -> bytes:
    """Encrypt the key for the store."""
    return master_key.encrypt(_PURPOSE, key, job_id.encode())


def decrypt_failed_rows_key(master_key: MasterKey, wrapped: bytes, job_id: str) -> bytes:
    """Decrypt the key that the store keeps."""
    return master_key.decrypt(_PURPOSE, wrapped, job_id.encode())


class FailedRowCipher:
    """Encrypts the rows of one job, and reads them again."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def encrypt(self, record: int, content: bytes) -> bytes:
        """Encrypt a row for the store."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, _bound_to(record))

    def decrypt(self, record: int, stored: bytes) -> bytes:
        """Decrypt a row that the store keeps.

        Raises:
            cryptography.exceptions.InvalidTag: it was altered, or is another row.
        """
        return self._cipher.decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], _bound_to(record))


def _bound_to(record: int) -> bytes:
    return record.to_bytes(8, "big")
