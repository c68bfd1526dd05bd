"""All checks, as `./run test` runs them: style, types, import direction, ui, then pytest (whose summary is the last line).

``--nightly`` adds the slow tests. Any other argument goes to pytest; with a path or ``-k`` only pytest runs.
The exit code is that of the first check that failed; later checks run all the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))


def check(name: str, command: list[str], folder: Path = ROOT) -> bool:
    """Run one check; its output is shown when it fails."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {name} ({time.monotonic() - began:.1f} s)", flush=True)
    if done.returncode:
        print((done.stdout + done.stderr)[-6000:], flush=True)
    return done.returncode == 0


def static_checks() -> bool:
    """ruff, mypy, import-linter and the ui's own tests."""
    here = Path(sys.executable).parent
    good = check("ruff check", [str(here / "ruff"), "check", "."])
    good &= check("ruff format", [str(here / "ruff"), "format", "--check", "."])
    good &= check("mypy", [sys.executable, "-m", "mypy"])
    good &= check("import direction", [str(here / "lint-imports")])
    if (ROOT / "ui" / "package.json").exists():
        from build_ui import find_npm, install

        npm = find_npm()
        install(npm)
        good &= check("ui types", [*npm, "run", "check"], ROOT / "ui")
        good &= check("ui tests", [*npm, "test"], ROOT / "ui")
    return good


def main(arguments: list[str]) -> int:
    """Run the checks, then pytest."""
    from find_chromium import find

    chosen = [a for a in arguments if not a.startswith("-") or a in ("-k", "-m")]
    nightly = "--nightly" in arguments
    arguments = [a for a in arguments if a != "--nightly"]
    good = True if chosen else static_checks()
    os.environ["ANLAN_CHROMIUM"] = find()
    marks = [] if nightly or "-m" in arguments else ["-m", "not nightly"]
    code = subprocess.call([sys.executable, "-m", "pytest", *marks, *arguments], cwd=ROOT)
    return code or (0 if good else 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
