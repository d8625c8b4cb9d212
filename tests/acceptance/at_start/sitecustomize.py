"""Let a loader or a command run in a process forked by ``acceptance.forked_loaders`` or ``acceptance.forked_commands``.

An interpreter imports this when it starts, if ``PYTHONPATH`` names this folder. That of a loader, or of a command whose
caller sets ``FORKED_COMMANDS``, then imports nothing else: it hands over its standard streams, and ends with the exit
status of the other process. Servers and workers, which get signals, run as they are.
"""

import os
import sys

_forker_of = None
if sys.orig_argv[1:] == ["-m", "openprofiles.worker.loader"]:
    _forker_of = os.environ["FORKED_LOADERS"]
elif len(sys.orig_argv) > 2 and sys.orig_argv[1].endswith("/bin/openprofiles"):
    _forker_of = None if sys.orig_argv[2] in ("serve", "worker") else os.environ.get("FORKED_COMMANDS")

if _forker_of is not None:
    import array
    import json
    import socket

    _streams = array.array("i", range(3))
    _order = {"arguments": sys.orig_argv[2:], "variables": dict(os.environ), "folder": os.getcwd()}  # noqa: PTH109 (pathlib takes longer to import)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as _forker:
        _forker.connect(_forker_of)
        _forker.sendmsg([json.dumps(_order).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _streams)])
        # Nothing comes from a loader that was killed.
        os._exit(int(_forker.recv(16) or 1))
