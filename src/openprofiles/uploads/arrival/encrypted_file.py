"""The format of an uploaded file on the disk: AES-256-GCM frames of 64 KiB, under a key made for this one file.

Layout: 8 bytes magic, 32 bytes salt, then frames. Each frame is the ciphertext of up to 64 KiB and its 16-byte tag.
The file's key is HKDF-SHA256 of the job's key (the ClientToken) with the salt, so that a second PUT under the same
job's key shares no nonce with the first. The nonce of a frame is its number and, in the last byte, whether it is the
last: frames cannot be reordered, left out, or cut off at the end without notice.

Source: Hoang, Reyhanitabar, Rogaway, Vizar, "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance" (the STREAM construction), 2015.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from openprofiles.uploads.reading.file_text import PartsReader, Readable

FRAME_BYTES = 64 * 1024
_TAG_BYTES = 16
_MAGIC = b"OPCSV\x00\x00\x01"
_SALT_BYTES = 32


class DamagedFile(Exception):
    """The uploaded file on the disk is not what was written: changed, cut off, or under another key."""


class Writable(Protocol):
    """A destination for bytes."""

    def write(self, data: bytes, /) -> int:
        """Append them."""


class EncryptingWriter:
    """Writes a file frame by frame; ``finish`` must be called, a file without its last frame is damaged."""

    def __init__(self, file: Writable, job_key: bytes) -> None:
        salt = os.urandom(_SALT_BYTES)
        self._file = file
        self._cipher = _cipher(job_key, salt)
        self._frame_number = 0
        self._pending = bytearray()
        file.write(_MAGIC + salt)

    def write(self, data: bytes) -> None:
        self._pending += data
        # The last frame is written by finish, so one frame's worth is always kept back.
        while len(self._pending) > FRAME_BYTES:
            self._write_frame(bytes(self._pending[:FRAME_BYTES]), last=False)
            del self._pending[:FRAME_BYTES]

    def finish(self) -> None:
        """Write the last frame, which may be empty."""
        self._write_frame(bytes(self._pending), last=True)
        self._pending.clear()

    def _write_frame(self, data: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._frame_number, last=last), data, None))
        self._frame_number += 1


class DecryptingReader(PartsReader):
    """Reads such a file from its beginning; ``read`` returns at most this many bytes, empty at the end.

    Attributes:
        size_bytes: of what was read of the file so far, decrypted.
    """

    def __init__(self, file: Readable, job_key: bytes) -> None:
        header = file.read(len(_MAGIC) + _SALT_BYTES)
        if len(header) != len(_MAGIC) + _SALT_BYTES or not header.startswith(_MAGIC):
            raise DamagedFile("The uploaded file does not start with the header that openprofiles writes.")
        super().__init__(_decrypt_frames(file, _cipher(job_key, header[len(_MAGIC) :])))


def _decrypt_frames(file: Readable, cipher: AESGCM) -> Iterator[bytes]:
    number, following = 0, file.read(FRAME_BYTES + _TAG_BYTES)
    is_last = False
    while not is_last:
        frame, following = following, file.read(FRAME_BYTES + _TAG_BYTES)
        is_last = not following
        try:
            yield cipher.decrypt(_nonce(number, last=is_last), frame, None)
        except InvalidTag:
            raise DamagedFile(f"Frame {number} of the uploaded file is damaged or missing.") from None
        number += 1


def _cipher(job_key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"openprofiles uploaded file").derive(job_key))


def _nonce(frame_number: int, *, last: bool) -> bytes:
    return frame_number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")
