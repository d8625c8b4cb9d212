"""The framing ``aws-chunked``, which AWS SDKs put around a body so that a checksum can follow it.

Each chunk is ``<size in hex>[;chunk-signature=<hex>]``, a line end, the data and a line end. A chunk of size 0 ends
the content; trailers follow it, a line each, and a blank line. Chunk signatures are not verified: an upload URL carries
its own permission, and the trailing checksum guards the content.

Source: the Amazon S3 API, "Signature calculations: including trailing headers (chunked uploads)".
"""

from __future__ import annotations

import re

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(;[!-~]*)?\Z")
_TRAILER = re.compile(r"([A-Za-z0-9-]{1,100}):[ \t]*([!-~]{1,1000})[ \t]*\Z")
# Names of trailers are read in lower case.
TRAILER_SIGNATURE = "x-amz-trailer-signature"
_LINE_MAX_BYTES = 1_024
_MOST_TRAILERS = 20


class MalformedFraming(Exception):
    """The body does not follow the framing; the message says where."""


class MalformedTrailers(Exception):
    """The data after the last chunk is malformed."""


class AwsChunkedBody:
    """Unpacks one body as it arrives.

    Args:
        has_trailer_signature: whether the trailers end with a signature, before which a blank line may stand.
    """

    def __init__(self, *, has_trailer_signature: bool) -> None:
        self._has_trailer_signature = has_trailer_signature
        # What has arrived and was not read: from a position on, so that small chunks do not copy what follows them.
        self._buffer = b""
        self._position = 0
        self._data_bytes_left = 0
        self._reads = self._read_size_line
        self._content: list[bytes] = []
        self._has_ended = False
        self.trailers: dict[str, str] = {}

    def unpack(self, data: bytes) -> bytes:
        """Take some bytes of the body; the content in them.

        Raises:
            MalformedFraming: a chunk is malformed, or something follows the end.
            MalformedTrailers: a trailer is malformed.
        """
        self._buffer = self._buffer[self._position :] + data
        self._position = 0
        while self._position < len(self._buffer) and self._reads():
            pass
        content, self._content = b"".join(self._content), []
        return content

    @property
    def is_complete(self) -> bool:
        """Whether the end of the framing has arrived."""
        # Some clients leave the blank line after the signature out.
        return self._has_ended or (self._position == len(self._buffer) and TRAILER_SIGNATURE in self.trailers)

    def _read_size_line(self) -> bool:
        line = self._take_line(MalformedFraming("A chunk's size line is too long."))
        if line is None:
            return False
        match = _SIZE_LINE.match(line)
        if match is None:
            raise MalformedFraming("A chunk does not start with its size in hexadecimal digits.")
        self._data_bytes_left = int(match[1], 16)
        self._reads = self._read_data if self._data_bytes_left else self._read_trailer
        return True

    def _read_data(self) -> bool:
        part = self._buffer[self._position : self._position + self._data_bytes_left]
        self._content.append(part)
        self._position += len(part)
        self._data_bytes_left -= len(part)
        if not self._data_bytes_left:
            self._reads = self._read_end_of_data
        return True

    def _read_end_of_data(self) -> bool:
        end = self._buffer[self._position : self._position + 2]
        if not b"\r\n".startswith(end):
            raise MalformedFraming("A chunk is longer or shorter than its declared size.")
        if len(end) < 2:
            return False
        self._position += 2
        self._reads = self._read_size_line
        return True

    def _read_trailer(self) -> bool:
        line = self._take_line(MalformedTrailers("A trailer is too long."))
        if line is None:
            return False
        if line:
            match = _TRAILER.match(line.decode("ascii", "replace"))
            if match is None:
                raise MalformedTrailers("A trailer is not of the form name:value.")
            name = match[1].lower()
            if name in self.trailers or len(self.trailers) == _MOST_TRAILERS:
                raise MalformedTrailers("A trailer is repeated, or there are too many.")
            self.trailers[name] = match[2]
        elif not self._has_trailer_signature or TRAILER_SIGNATURE in self.trailers:
            self._has_ended = True
            self._reads = self._refuse_more
        return True

    def _refuse_more(self) -> bool:
        raise MalformedFraming("There is data after the last chunk and its trailers.")

    def _take_line(self, too_long: Exception) -> bytes | None:
        """Return the next line without its end; None if it has not fully arrived."""
        end = self._buffer.find(b"\n", self._position, self._position + _LINE_MAX_BYTES)
        if end < 0:
            if len(self._buffer) - self._position >= _LINE_MAX_BYTES:
                raise too_long
            return None
        line = self._buffer[self._position : end]
        self._position = end + 1
        return line.removesuffix(b"\r")
