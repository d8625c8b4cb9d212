"""openprofiles: customer profiles on your own machine, with the Amazon Connect Customer Profiles API."""

from __future__ import annotations

__version__: str


def __getattr__(name: str) -> str:
    # Finding the version takes 0.04 s, which commands that do not print it save.
    if name == "__version__":
        from importlib.metadata import version

        return version("openprofiles")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
