"""What ships: locks and documents say what pyproject and the code say."""

from __future__ import annotations

import ast
import importlib.metadata
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


def imported() -> set[str]:
    """Top-level names of what the shipped code imports from elsewhere."""
    found: set[str] = set()
    for path in (ROOT / "src" / "anlan").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(name.name.split(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"anlan"}


def test_what_the_shipped_code_imports_is_a_dependency_of_the_wheel():
    owners = importlib.metadata.packages_distributions()
    allowed = {name.replace("_", "-") for name in names(PROJECT["project"]["dependencies"])}
    strange = {
        module: owners.get(module)
        for module in imported()
        if not allowed.intersection(owner.lower().replace("_", "-") for owner in owners.get(module, []))
    }
    assert not strange, "not in [project] dependencies of pyproject.toml: a fresh machine would not have it"


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
