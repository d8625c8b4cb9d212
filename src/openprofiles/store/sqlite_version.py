"""Check that the version of SQLite can safely open the store."""

from __future__ import annotations

_OLDEST_SAFE_VERSION = (3, 51, 3)


def require_safe_sqlite(version: str, package: str) -> None:
    """Refuse a SQLite that can damage the store.

    Args:
        package: the Python package that brought it.

    Raises:
        RuntimeError: it is too old.
    """
    if tuple(int(part) for part in version.split(".")) < _OLDEST_SAFE_VERSION:
        raise RuntimeError(
            f"{package} contains SQLite {version}, which is too old: versions before 3.51.3 can damage a database that "
            f"several processes write. Install a newer {package}."
        )
