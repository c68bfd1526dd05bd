"""Start one program so that it never outlives its supervisor, and never as root where it refuses root.

Run as a script (``python -I confine.py SIGNAL MODE PARENT -- program args…``), standard library
only, and replaced by the program with the same process id. Three services:

- *parent death*: on Linux the kernel sends SIGNAL when the supervisor is gone, even after its kill -9;
- *mode ``plain``*: nothing else;
- *mode ``namespace``* (root, Linux): a user namespace in which root is seen as another user. No file
  changes its owner, folders of mode 0700 and a virtual environment under /root stay usable;
- *mode ``user:NAME``* (root where namespaces are forbidden, e.g. in a container): really becomes NAME.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def an_ordinary_uid() -> int:
    """A user id that is in the password table and not root (initdb looks its name up)."""
    import pwd

    return min((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid > 0), default=1)


def enter_namespace() -> None:
    """Leave root for a user namespace that shows it as an ordinary user; OSError where forbidden."""
    uid, gid, shown = os.geteuid(), os.getegid(), an_ordinary_uid()
    if _libc().unshare(CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{shown} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{shown} {gid} 1")


def become(name: str) -> None:
    """Become the named system user for good."""
    import pwd

    entry = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with_parent(signal_number: int, parent: int) -> None:
    """Ask the kernel for `signal_number` when process `parent` ends (Linux; elsewhere nothing).

    Must come after any change of user, which clears it. Ends at once when the parent is gone already.
    """
    if sys.platform == "linux":
        _libc().prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def main(arguments: list[str]) -> None:
    """Confine this process and become the program."""
    split = arguments.index("--")
    signal_number, mode, parent = arguments[:split]
    program = arguments[split + 1 :]
    if mode == "namespace":
        enter_namespace()
    elif mode.startswith("user:"):
        become(mode.removeprefix("user:"))
    die_with_parent(int(signal_number), int(parent))
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
