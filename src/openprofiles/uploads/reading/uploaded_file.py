"""The file of an upload job as its loader reads it: decrypted, decompressed and decoded, as often as needed."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from openprofiles.uploads.arrival.encrypted_file import DamagedFile, DecryptingReader
from openprofiles.uploads.arrival.files import Files
from openprofiles.uploads.reading.detect_form import detect_form, find_json_lines
from openprofiles.uploads.reading.file_form import FileForm, FileOptions
from openprofiles.uploads.reading.file_text import TextReader, open_text


class UploadedFileMissing(Exception):
    """The file of a job is not where it was kept, although that place answers."""


class UploadedFile:
    """One file.

    Args:
        key: that of the job.
        form: what is known of it from an earlier loader.
        max_unpacked_bytes: what it may have where it is compressed.
    """

    def __init__(self, files: Files, name: str, key: bytes, form: FileForm | None, *, max_unpacked_bytes: int) -> None:
        self._files = files
        self._name = name
        self._key = key
        self._form = form
        self._max_unpacked_bytes = max_unpacked_bytes
        self._reader: DecryptingReader | None = None

    @property
    def form(self) -> FileForm:
        """What it is read as; known once it was detected."""
        assert self._form is not None, "the form is detected before anything is read"
        return self._form

    @property
    def read_bytes(self) -> int:
        """How much of it was read, as it was uploaded, since it was opened last."""
        return 0 if self._reader is None else self._reader.size_bytes

    def detect(
        self, given: FileOptions, headers: Collection[str], region: str, *, strict: bool, may_be_json: bool = False
    ) -> FileForm:
        """Find out its form, unless it is known.

        Args:
            headers: the columns that are mapped.
            region: the country of the domain's phone numbers.
            strict: read the rows as AWS does.
            may_be_json: whether it may have a JSON object on each line.

        Raises:
            InvalidRequest: it is not text.
            FileDamaged: it cannot be decompressed.
        """
        if self._form is None and may_be_json:
            with self._decrypted() as reader:
                self._form = find_json_lines(reader, max_unpacked_bytes=self._max_unpacked_bytes)
        if self._form is None:
            with self._decrypted() as reader:
                self._form = detect_form(
                    reader,
                    given,
                    headers,
                    max_unpacked_bytes=self._max_unpacked_bytes,
                    region=region,
                    strict=strict,
                )
        return self._form

    @contextmanager
    def open(self) -> Iterator[TextReader]:
        """Read it as text from its beginning."""
        with self._decrypted() as reader:
            self._reader = reader
            # A table, and a file that is read as AWS reads it, need nothing in between.
            yield (
                reader
                if self.form.is_plain
                else open_text(reader, self.form, max_unpacked_bytes=self._max_unpacked_bytes)
            )

    @contextmanager
    def _decrypted(self) -> Iterator[DecryptingReader]:
        try:
            with self._files.open(self._name) as file:
                yield DecryptingReader(file, self._key)
        except FileNotFoundError as error:
            raise UploadedFileMissing(f"There is no file {self._name} in {self._files.place}.") from error
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise DamagedFile(f"The file {self._name} in {self._files.place} cannot be read.") from error
