"""Ids of new profiles, many at a time, in the form of ``ids.new_profile_id``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openprofiles.clock import to_milliseconds

# The two digits of a byte, as one number in which they stand in this order.
_HEX_DIGITS = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), np.uint16)
_ID_BYTES = 16


def new_profile_ids(now: datetime, pids: npt.NDArray[np.int64]) -> pa.Array:
    """Make one id for each row number.

    It has 48 bits of time, version 7, 12 random bits, the variant, 14 random bits, and the number.
    """
    count = len(pids)
    random = np.random.default_rng().integers(0, 1 << 32, count, dtype=np.uint32)
    octets = np.empty((count, _ID_BYTES), np.uint8)
    octets[:, :6] = np.frombuffer(to_milliseconds(now).to_bytes(6, "big"), np.uint8)
    octets[:, 6:10] = _big_endian((random & 0x0FFF_3FFF) | 0x7000_8000, np.dtype(">u4"))
    octets[:, 10:] = _big_endian(pids, np.dtype(">u8"))[:, 2:]
    offsets = np.arange(0, (count + 1) * _ID_BYTES * 2, _ID_BYTES * 2, dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(_HEX_DIGITS.take(octets))]
    )


def _big_endian(numbers: npt.NDArray[Any], form: np.dtype[Any]) -> npt.NDArray[np.uint8]:
    """Return the bytes of each number, a row each."""
    return numbers.astype(form).view(np.uint8).reshape(len(numbers), form.itemsize)
