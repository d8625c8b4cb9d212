"""Ids of new profiles, many at a time, in the form of ``ids.new_profile_id``."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openprofiles.clock import to_milliseconds

_HEX_DIGITS = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), np.uint8).reshape(256, 2)
_ID_BYTES = 16


def new_profile_ids(now: datetime, pids: npt.NDArray[np.int64]) -> pa.Array:
    """One id for each row number: 48 bits of time, version 7, 12 random bits, variant, 14 random bits, the number."""
    count = len(pids)
    random = np.random.default_rng()
    fields = np.empty((count, 4), ">u8")
    fields[:, 0] = to_milliseconds(now)
    fields[:, 1] = 0x7000 | random.integers(0, 1 << 12, count)
    fields[:, 2] = 0x8000 | random.integers(0, 1 << 14, count)
    fields[:, 3] = pids
    octets = fields.view(np.uint8).reshape(count, 4, 8)
    # The low 6, 2, 2 and 6 bytes of the four numbers.
    ids = np.concatenate([octets[:, 0, 2:], octets[:, 1, 6:], octets[:, 2, 6:], octets[:, 3, 2:]], axis=1)
    text = _HEX_DIGITS[ids]
    offsets = np.arange(0, (count + 1) * _ID_BYTES * 2, _ID_BYTES * 2, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
