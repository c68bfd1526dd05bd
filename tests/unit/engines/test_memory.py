"""Program code that only the start needed is given back, and comes back when it is called again."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

from anlan.engines.memory import _unchanged_code, release_code

SMAPS = """\
1000-3000 r-xp 00000000 fe:00 11                         /lib/code.so
Size:                  8 kB
Private_Clean:         8 kB
Private_Dirty:         0 kB
3000-4000 r-xp 00000000 fe:00 12                         /lib/changed.so
Private_Dirty:         4 kB
4000-5000 rw-p 00000000 fe:00 11                         /lib/code.so
Private_Dirty:         0 kB
5000-6000 r-xp 00000000 00:00 0
Private_Dirty:         0 kB
6000-7000 r--p 00000000 fe:00 11                         /lib/code.so
Private_Dirty:         0 kB
"""


def test_only_unchanged_code_of_files():
    assert _unchanged_code(SMAPS) == [(0x1000, 0x3000)]


@pytest.mark.skipif(sys.platform != "linux", reason="madvise(2) and /proc are Linux")
def test_the_program_goes_on_after_it():
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[2])  # pages of files

    before = resident()
    release_code()
    assert resident() < before
    assert ctypes.CDLL(None).getpid() and sorted(str(n) for n in range(3)) == ["0", "1", "2"]
