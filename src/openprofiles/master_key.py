"""The master key: 32 random bytes next to the store, or in a file that several hosts share; others derive from it.

Each purpose (secrets of credentials, keys of uploaded files, signatures of upload URLs) has its own key (HKDF, RFC
5869, with the purpose as ``info``), so data encrypted or signed for one purpose is of no use for another.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from openprofiles.data_folder import locked_data_folder, prepare_data_folder, write_private_file
from openprofiles.settings import PostgresqlUrl, Settings, SettingsError

_KEY_SIZE_BYTES = 32
_NONCE_SIZE_BYTES = 12
# First byte of every ciphertext, so that a later form can be distinguished from this one.
_FORM = b"\x01"


class DecryptionError(Exception):
    """Something encrypted was altered, or belongs to another master key, purpose or context."""


class MasterKey:
    """Encrypts and signs with keys derived from one secret of 32 bytes. May be used from any thread."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != _KEY_SIZE_BYTES:
            raise ValueError(f"a master key has {_KEY_SIZE_BYTES} bytes, not {len(secret)}")
        self._secret = secret
        self._derive = lru_cache(maxsize=64)(self._derive_key)

    def encrypt(self, purpose: str, plaintext: bytes, context: bytes = b"") -> bytes:
        """Encrypt with AES-256-GCM under a random nonce.

        Args:
            purpose: what this is used for, such as ``credential secret``.
            context: what the ciphertext belongs to (an id); it must be given again to decrypt.
        """
        nonce = os.urandom(_NONCE_SIZE_BYTES)
        return _FORM + nonce + AESGCM(self._derive("encrypt", purpose)).encrypt(nonce, plaintext, context)

    def decrypt(self, purpose: str, ciphertext: bytes, context: bytes = b"") -> bytes:
        """Decrypt the result of ``encrypt`` for the same purpose and context.

        Raises:
            DecryptionError: it was not made with this key, purpose and context.
        """
        nonce = ciphertext[1 : 1 + _NONCE_SIZE_BYTES]
        if ciphertext[:1] == _FORM and len(nonce) == _NONCE_SIZE_BYTES:
            try:
                return AESGCM(self._derive("encrypt", purpose)).decrypt(
                    nonce, ciphertext[1 + _NONCE_SIZE_BYTES :], context
                )
            except InvalidTag:
                pass
        raise DecryptionError(
            f"The {purpose} cannot be decrypted. Either the store was altered, or the master key does not belong to "
            "this store. Restore the right key."
        )

    def sign(self, purpose: str, message: bytes) -> bytes:
        """Compute the HMAC-SHA256 of a message, 32 bytes."""
        return hmac.digest(self._derive("sign", purpose), message, hashlib.sha256)

    def verify_signature(self, purpose: str, message: bytes, signature: bytes) -> bool:
        """Verify a signature made by ``sign``, in constant time."""
        return hmac.compare_digest(self.sign(purpose, message), signature)

    def _derive_key(self, use: str, purpose: str) -> bytes:
        info = f"openprofiles {use}: {purpose}".encode()
        return HKDF(algorithm=SHA256(), length=_KEY_SIZE_BYTES, salt=None, info=info).derive(self._secret)


def load_master_key(settings: Settings) -> MasterKey:
    """Load the master key of the data folder; create it if there is no store yet either.

    Raises:
        SettingsError: the key is missing although the store exists, or the file is not a key.
    """
    prepare_data_folder(settings)
    path = settings.master_key_path
    # A fresh key is published whole before its store is made, so a file that is there needs no lock.
    if not path.exists():
        with locked_data_folder(settings):
            if not path.exists():
                if settings.master_key is not None:
                    # Hosts that each made one of their own would not understand each other.
                    raise SettingsError(
                        f"There is no master key {path}. Put the key that this store's other servers and workers use "
                        f"there, or create the first one with: openprofiles master-key create {path}"
                    )
                # A database cannot be asked here; ``check_master_key`` refuses a key that is not the store's own.
                if not isinstance(settings.store, PostgresqlUrl) and settings.store_path.exists():
                    raise SettingsError(
                        f"The master key {path} is missing, but the store {settings.store_path} exists and needs it. "
                        "Restore the key from a backup. Without it the credentials and uploaded files are lost."
                    )
                write_private_file(path, os.urandom(_KEY_SIZE_BYTES))
    return read_master_key(path)


def read_master_key(path: Path) -> MasterKey:
    """Read the master key in a file.

    Raises:
        SettingsError: there is no such file, or it is not a key.
    """
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The master key {path} cannot be read: {error.strerror}.") from error
    if len(secret) != _KEY_SIZE_BYTES:
        raise SettingsError(
            f"The master key {path} has {len(secret)} bytes instead of {_KEY_SIZE_BYTES}. "
            "Restore the right key from a backup."
        )
    return MasterKey(secret)


def create_master_key(path: Path) -> None:
    """Make a master key in a file that only its owner can read.

    Raises:
        SettingsError: there is such a file already, or it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise SettingsError(f"The file {path} already exists. Name another one.") from error
    except OSError as error:
        raise SettingsError(f"The master key {path} cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.urandom(_KEY_SIZE_BYTES))
        file.flush()
        os.fsync(file.fileno())


def replace_master_key(settings: Settings, by: Path) -> None:
    """Make the key in another file the one of the data folder."""
    write_private_file(settings.master_key_path, by.read_bytes())
