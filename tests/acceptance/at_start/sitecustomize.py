"""Let a program run in a process forked by ``acceptance.forked_loaders`` or ``acceptance.forked_commands``.

An interpreter imports this when it starts, if ``PYTHONPATH`` names this folder. That of a loader, of a command whose
caller sets ``FORKED_COMMANDS``, or of a server or worker whose caller sets ``FORKED_SERVERS``, imports nothing else:
it hands over its standard streams, passes signals on, and ends with the exit status of the other process.
"""

import os
import sys

_arguments = [one for one in sys.orig_argv[1:] if one != "-P"]
_forker_of = None
if _arguments == ["-m", "openprofiles.worker.loader"]:
    _forker_of = os.environ["FORKED_LOADERS"]
elif _arguments[:2] == ["-m", "openprofiles"] and _arguments[2:3] in (["serve"], ["worker"]):
    _forker_of = os.environ.get("FORKED_SERVERS")
    _arguments = _arguments[2:]
elif len(_arguments) > 1 and _arguments[0].endswith("/bin/openprofiles"):
    _forker_of = os.environ.get("FORKED_SERVERS" if _arguments[1] in ("serve", "worker") else "FORKED_COMMANDS")
    _arguments = _arguments[1:]

if _forker_of is not None:
    import array
    import json
    import signal
    import socket

    _streams = array.array("i", range(3))
    _order = {"arguments": _arguments, "variables": dict(os.environ), "folder": os.getcwd()}  # noqa: PTH109 (pathlib takes longer to import)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as _forker:
        _forker.connect(_forker_of)
        _forker.sendmsg([json.dumps(_order).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _streams)])
        _pid = int(_forker.recv(16) or 0)
        for _number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(_number, lambda number, _frame: os.kill(_pid, number))
        # Nothing comes from a process that was killed.
        os._exit(int(_forker.recv(16) or 1))
