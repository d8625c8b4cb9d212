"""openprofiles: customer profiles on your own machine, with the API of Amazon Connect Customer Profiles."""

from __future__ import annotations

__version__: str


def __getattr__(name: str) -> str:
    # To find the version takes 0.04 s, which a command that does not tell it need not pay.
    if name == "__version__":
        from importlib.metadata import version

        return version("openprofiles")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
