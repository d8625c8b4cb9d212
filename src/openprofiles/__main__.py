"""``python -m openprofiles`` is ``openprofiles``."""

from openprofiles.cli.main import main

main()
