"""Memory of our processes: what glibc keeps after large reads is given back to the system.

glibc grows an arena for each thread and raises its own limit for separate mappings with every large block freed, so that a process
that once read 85,000 stations keeps the pages of it for ever. Elsewhere (macOS, musl) the settings are ignored and `give_back` does
nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc

# names as in mallopt(3): two arenas, blocks of 512 kB and more are mappings of their own, a free top of 1 MB is returned
MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "524288", "MALLOC_TRIM_THRESHOLD_": "1048576"}


def give_back() -> None:
    """Return freed memory to the system (a few milliseconds; after work that happens seldom and reads much)."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
