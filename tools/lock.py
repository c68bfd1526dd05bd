"""Make the lock files: every package of pyproject.toml with version and hashes, for all platforms, naming no registry.

Usage: ``python tools/lock.py [--upgrade]``; needs `uv` (``pip install uv``).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = ("--universal", "--generate-hashes", "--no-emit-index-url", "--no-header", "-q")


def main(arguments: list[str]) -> int:
    """Compile both files; versions stay unless ``--upgrade``."""
    for target, more in (("requirements.lock", ()), ("requirements-dev.lock", ("--group", "dev"))):
        subprocess.run(["uv", "pip", "compile", "pyproject.toml", *more, *OPTIONS, "-o", target, *arguments], cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
