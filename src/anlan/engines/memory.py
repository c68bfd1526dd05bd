"""Memory of our processes: what glibc keeps after large reads is given back to the system.

glibc grows an arena for each thread and raises its own limit for separate mappings with every large block freed, so that a process
that once read 85,000 stations keeps the pages of it for ever. Elsewhere (macOS, musl) the settings are ignored and
`give_back` and `release_code` do nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import re
from pathlib import Path

# names as in mallopt(3): two arenas, blocks of 512 kB and more are mappings of their own, a free top of 1 MB is returned
MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "524288", "MALLOC_TRIM_THRESHOLD_": "1048576"}


def give_back() -> None:
    """Return freed memory to the system (a few milliseconds; after work that happens seldom and reads much)."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)")
_DONTNEED = 4  # MADV_DONTNEED of madvise(2) on Linux


def release_code() -> None:
    """Give back the pages of program code that only the start needed (a compiler's initialisation: 60 MB, measured).

    They are unchanged pages of files: what is called again comes back from the page cache at once.
    """
    with contextlib.suppress(AttributeError, OSError):
        madvise = ctypes.CDLL(None).madvise
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for begin, end in _unchanged_code(Path("/proc/self/smaps").read_text("ascii", "replace")):
            madvise(begin, end - begin, _DONTNEED)


def _unchanged_code(smaps: str) -> list[tuple[int, int]]:
    """Begin and end of the executable, read-only mappings of files of which this process has changed no page."""
    found: list[tuple[int, int]] = []
    inside = False
    for line in smaps.splitlines():
        if match := _MAPPING.fullmatch(line):
            inside = match[3] == "r-xp" and match[4].startswith("/")
            begin, end = int(match[1], 16), int(match[2], 16)
        elif inside and line.startswith("Private_Dirty:"):
            if line.split()[1] == "0":
                found.append((begin, end))
            inside = False
    return found
