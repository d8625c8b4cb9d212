"""The refusal of a PUT, in S3's words."""

from __future__ import annotations


class Refused(Exception):
    """The PUT cannot be taken; status and code are S3's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
