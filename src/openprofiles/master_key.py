"""The master key: 32 random bytes beside the store, from which every other key is derived.

Each purpose (secrets of credentials, keys of uploaded files, signatures of upload URLs) has its own key (HKDF, RFC
5869, with the purpose as ``info``), so that what was made for one purpose is worthless for another.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from openprofiles.data_folder import locked_data_folder, prepare_data_folder, write_private_file
from openprofiles.settings import PostgresqlUrl, Settings, SettingsError

_KEY_SIZE_BYTES = 32
_NONCE_SIZE_BYTES = 12
# First byte of every ciphertext, so that a later form can be told from this one.
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
        """Encrypts with AES-256-GCM under a random nonce.

        Args:
            purpose: what this is used for, such as ``credential secret``.
            context: what the ciphertext belongs to (an id); it must be given again to decrypt.
        """
        nonce = os.urandom(_NONCE_SIZE_BYTES)
        return _FORM + nonce + AESGCM(self._derive("encrypt", purpose)).encrypt(nonce, plaintext, context)

    def decrypt(self, purpose: str, ciphertext: bytes, context: bytes = b"") -> bytes:
        """What ``encrypt`` was given, for the same purpose and context.

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
            f"The {purpose} cannot be decrypted. Either the store was altered, or master.key in the data folder is not "
            "the key that belongs to this store. Put the right master.key back."
        )

    def sign(self, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA256 of the message, 32 bytes."""
        return hmac.digest(self._derive("sign", purpose), message, hashlib.sha256)

    def verify_signature(self, purpose: str, message: bytes, signature: bytes) -> bool:
        """Whether ``sign`` gave this signature for this message; takes the same time wherever they differ."""
        return hmac.compare_digest(self.sign(purpose, message), signature)

    def _derive_key(self, use: str, purpose: str) -> bytes:
        info = f"openprofiles {use}: {purpose}".encode()
        return HKDF(algorithm=SHA256(), length=_KEY_SIZE_BYTES, salt=None, info=info).derive(self._secret)


def load_master_key(settings: Settings) -> MasterKey:
    """The master key of the data folder; a fresh one if there is neither a key nor a store yet.

    Raises:
        SettingsError: the key is missing although the store exists, or the file is not a key.
    """
    prepare_data_folder(settings)
    path = settings.master_key_path
    # A fresh key is published whole before its store is made, so a file that is there needs no lock.
    if not path.exists():
        with locked_data_folder(settings):
            if not path.exists():
                # A database cannot be asked here; ``check_master_key`` refuses a key that is not the store's own.
                if not isinstance(settings.store, PostgresqlUrl) and settings.store_path.exists():
                    raise SettingsError(
                        f"The master key {path} is missing, but the store {settings.store_path} exists and needs it. "
                        "Put the key back from a backup. Without it the credentials and uploaded files are lost."
                    )
                write_private_file(path, os.urandom(_KEY_SIZE_BYTES))
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The master key {path} cannot be read: {error.strerror}.") from error
    if len(secret) != _KEY_SIZE_BYTES:
        raise SettingsError(
            f"The master key {path} has {len(secret)} bytes instead of {_KEY_SIZE_BYTES}. "
            "Put the right key back from a backup."
        )
    return MasterKey(secret)
