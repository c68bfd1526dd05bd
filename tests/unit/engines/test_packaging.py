"""What ships: locks and documents say what pyproject and the code say."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~!; ]", text)[0].lower() for text in requirements}


def locked(file: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9_.-]+)==", (ROOT / file).read_text(), re.M))


def test_locks_name_every_dependency_with_hashes_and_no_host():
    run, dev = names(PROJECT["project"]["dependencies"]), names(PROJECT["dependency-groups"]["dev"])
    assert run <= locked("requirements.lock")
    assert run | dev <= locked("requirements-dev.lock")
    for file in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / file).read_text()
        assert "://" not in text
        assert text.count("--hash=sha256:") > len(locked(file))


def test_every_dependency_is_explained():
    page = (ROOT / "docs" / "dependencies.md").read_text().lower()
    missing = {n for n in names(PROJECT["project"]["dependencies"]) | names(PROJECT["dependency-groups"]["dev"]) if n not in page}
    assert not missing


def test_settings_page_is_current():
    done = subprocess.run([sys.executable, "tools/make_settings_doc.py", "--check"], cwd=ROOT)
    assert done.returncode == 0, "run tools/make_settings_doc.py"


def test_run_script_is_sound():
    assert subprocess.run(["bash", "-n", str(ROOT / "run")]).returncode == 0
    assert (ROOT / "run").stat().st_mode & 0o111
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_commands_page_is_current():
    done = subprocess.run([sys.executable, "tools/make_commands_doc.py", "--check"], cwd=ROOT)
    assert done.returncode == 0, "run tools/make_commands_doc.py"
