"""A sample profile that a preview stores, encrypted in the same way as failed rows."""

from __future__ import annotations

import json
from dataclasses import dataclass

from openprofiles.uploads.failures.failed_row_cipher import FailedRowCipher

# They are bound to numbers that no record has.
_FIRST_NUMBER = 1 << 62


@dataclass(frozen=True, slots=True)
class PreviewSample:
    """The change that a load would make to one profile.

    Attributes:
        record: the first record that goes to it.
        profile_id: None for one that would be created.
        fields: path, value before and value after, of those that would change; None: no value.
        line: where that record begins in the file; None if it was not kept.
    """

    record: int
    profile_id: str | None
    fields: tuple[tuple[str, str | None, str | None], ...]
    line: int | None = None


def write_sample(cipher: FailedRowCipher, number: int, sample: PreviewSample) -> bytes:
    """Encrypt a sample for the store."""
    document = {
        "record": sample.record,
        "profile_id": sample.profile_id,
        "fields": sample.fields,
        "line": sample.line,
    }
    return cipher.encrypt(_FIRST_NUMBER + number, json.dumps(document).encode())


def read_sample(cipher: FailedRowCipher, number: int, content: bytes) -> PreviewSample:
    """Decrypt a sample that the store keeps."""
    document = json.loads(cipher.decrypt(_FIRST_NUMBER + number, content))
    fields = tuple((path, before, after) for path, before, after in document["fields"])
    # Samples of an earlier version have no line.
    return PreviewSample(document["record"], document["profile_id"], fields, document.get("line"))
