"""Becomes another program that ends when its parent ends, so that nothing is orphaned.

Run as a file (`python -I -S child.py SIGNAL PARENT_PID UID REACH CWD -- PROGRAM ARGS...`),
standard library only: it is in the way of every start. UID -1 keeps the user; REACH 1 keeps, of
root's rights, the one to reach files below folders that are closed to that user.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _RAISE = 1, 8, 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def main(arguments: list[str]) -> None:
    """Ask the kernel for SIGNAL at the parent's death, then exec the program."""
    death_signal, parent, uid, reach = (int(text) for text in arguments[:4])
    if uid >= 0:
        _become(uid, reach=bool(reach))
    if sys.platform == "linux":
        # After the change of user: that clears it. Kept across exec.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.chdir(arguments[4])
    program = arguments[6:]
    os.execv(program[0], program)  # noqa: S606 - a list, no shell


def _become(uid: int, *, reach: bool) -> None:
    if reach:
        ctypes.CDLL(None).prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    if reach:
        _keep_only_reach()


def _keep_only_reach() -> None:
    """Give up every capability but one, and hand that one on across exec."""
    words = ctypes.c_uint32 * 6  # effective, permitted, inheritable: low halves, then high halves
    bit = 1 << _CAP_DAC_OVERRIDE
    header, wanted = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), words(bit, bit, bit, 0, 0, 0)
    libc = ctypes.CDLL(None)
    if libc.capset(header, wanted) != 0:
        sys.exit("the right to reach the files of PostgreSQL could not be kept")
    libc.prctl(_PR_CAP_AMBIENT, _RAISE, _CAP_DAC_OVERRIDE, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
