"""Uploaded files on the disk: read back as written, and every change noticed."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openprofiles.uploads.arrival.encrypted_file import FRAME_BYTES, DamagedFile, DecryptingReader, EncryptingWriter

KEY = bytes(range(32))


def encrypt(data: bytes, piece_bytes: int = 1000, key: bytes = KEY) -> bytes:
    file = io.BytesIO()
    writer = EncryptingWriter(file, key)
    for start in range(0, len(data), piece_bytes):
        writer.write(data[start : start + piece_bytes])
    writer.finish()
    return file.getvalue()


def decrypt(data: bytes, piece_bytes: int = 777, key: bytes = KEY) -> bytes:
    reader = DecryptingReader(io.BytesIO(data), key)
    return b"".join(iter(lambda: reader.read(piece_bytes), b""))


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES])
def test_a_file_is_read_back_as_it_was_written(size: int) -> None:
    data = bytes(index % 251 for index in range(size))

    assert decrypt(encrypt(data)) == data


@given(data=st.binary(max_size=5000), written=st.integers(1, 700), read=st.integers(1, 700))
def test_the_pieces_in_which_it_is_written_and_read_do_not_matter(data: bytes, written: int, read: int) -> None:
    assert decrypt(encrypt(data, written), read) == data


def test_the_file_does_not_show_what_it_holds() -> None:
    assert b"ada@example.com" not in encrypt(b"ada@example.com" * 100)


def test_a_second_file_under_the_same_key_looks_different() -> None:
    assert encrypt(b"ada@example.com")[40:] != encrypt(b"ada@example.com")[40:]


@pytest.mark.parametrize("position", [0, 20, 50, FRAME_BYTES + 60, -1])
def test_a_changed_byte_is_noticed(position: int) -> None:
    stored = bytearray(encrypt(b"x" * (2 * FRAME_BYTES)))
    stored[position] ^= 1

    with pytest.raises(DamagedFile):
        decrypt(bytes(stored))


@pytest.mark.parametrize("kept_frames", [0, 1])
def test_a_file_that_was_cut_off_between_frames_is_noticed(kept_frames: int) -> None:
    stored = encrypt(b"x" * (2 * FRAME_BYTES + 5))

    with pytest.raises(DamagedFile):
        decrypt(stored[: 40 + kept_frames * (FRAME_BYTES + 16)])


def test_frames_in_another_order_are_noticed() -> None:
    stored = encrypt(b"a" * FRAME_BYTES + b"b" * FRAME_BYTES + b"c")
    frame = FRAME_BYTES + 16
    header, first, second, rest = (
        stored[:40],
        stored[40 : 40 + frame],
        stored[40 + frame : 40 + 2 * frame],
        stored[40 + 2 * frame :],
    )

    with pytest.raises(DamagedFile):
        decrypt(header + second + first + rest)


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(DamagedFile):
        decrypt(encrypt(b"x"), key=bytes(32))
