"""Make ``dist`` with everything for an installation: the wheel, the packages that it needs, and a systemd unit.

The wheel is built from a copy, so that nothing an earlier build has left gets into it. Run it with ``make wheel``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "src")
_BESIDE = ("requirements.lock", "openprofiles.service")


def make_wheel(folder: Path) -> Path:
    """Build the wheel into a folder, and put the files from ``deploy`` next to it.

    Returns:
        the wheel.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as copy:
        for name in _SOURCES:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, Path(copy, name), ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(source, copy)
        wheels = Path(copy, "wheels")
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*command, "--disable-pip-version-check", "--wheel-dir", wheels, copy], check=True)
        (built,) = wheels.iterdir()
        wheel = folder / built.name
        shutil.copy(built, wheel)
    for name in _BESIDE:
        shutil.copy(ROOT / "deploy" / name, folder)
    return wheel


if __name__ == "__main__":
    print(f"The wheel is {make_wheel(ROOT / 'dist').relative_to(ROOT)}.")
