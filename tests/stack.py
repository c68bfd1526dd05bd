"""The real platform on a temporary folder, for tests that need all processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parent.parent / "src"


class RunningStack:
    """``anlan up`` as a child process: `info` is its JSON line, `stop` its orderly end."""

    def __init__(self, devices: int = 0, data: Path | None = None, **environment: str):
        self.home = Path(tempfile.mkdtemp(prefix="anlan-stack-"))
        self.data = data or self.home / "数据"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ANLAN_") or k in ("ANLAN_SHARED", "ANLAN_CHROMIUM")},
            "PYTHONPATH": str(SOURCE),
            "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR") or str(SOURCE.parent / ".anlan" / "numba"),
            **environment,
        }
        self.devices = devices
        self.process: subprocess.Popen[str] | None = None
        self.info: dict[str, Any] = {}

    def start(self) -> dict[str, Any]:
        """Start and wait for the JSON line; AssertionError with what it said otherwise."""
        command = [sys.executable, "-m", "anlan", "up", "--data", str(self.data), "--devices", str(self.devices), "--json"]
        errors = (self.home / "up.err").open("w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=self.environment)
        assert self.process.stdout
        line = self.process.stdout.readline()
        errors.seek(0)
        assert line.startswith("{"), f"up did not start: {errors.read()}"
        errors.close()
        self.info = json.loads(line)
        return self.info

    def pids(self) -> dict[str, int]:
        """The processes as of now (children are started again after a kill)."""
        rows = json.loads((self.data / "run" / "pids.json").read_text())
        return {name: row["pid"] for name, row in rows.items()}

    def anlan(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `anlan` command against this installation."""
        environment = {**self.environment, "ANLAN_DATA": str(self.data)}
        return subprocess.run([sys.executable, "-m", "anlan", *arguments], capture_output=True, text=True, env=environment, timeout=120)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop (Ctrl-C by default) and give the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.process = None
        return code

    def remove(self) -> None:
        """Stop and delete the data."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
