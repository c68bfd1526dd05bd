"""`anlan capture`: between a device and its platform, in its place, and again from the file; kill -9 keeps what was passed."""

from __future__ import annotations

import asyncio
import io
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anlan.base.errors import FieldError
from anlan.collect.capture import Recorder, pieces, replay
from anlan.collect.codec import Message, codec

ROOT = Path(__file__).parents[3]
REPORT = {"function": "32", "station": "0012345678", "password": "1234", "serial": 7, "send_time": "2026-07-01T12:00:10+08:00"}
REPORT |= {"station_type": "H", "observe_time": "2026-07-01T12:00:00+08:00", "elements": [{"name": "Z", "value": 1.5}]}


async def echo(reader, writer):
    while data := await reader.read(1000):
        writer.write(b"<" + data + b">")
    writer.close()


def test_between_device_and_platform_and_again(tmp_path):
    async def story() -> None:
        platform = await asyncio.start_server(echo, "127.0.0.1", 0)
        behind = platform.sockets[0].getsockname()
        file = tmp_path / "a.tsv"
        with file.open("w") as out:
            recorder = Recorder(out, behind)
            server = await recorder.serve("127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for word in (b"one\x00", b"two"):
                writer.write(word)
                assert await reader.read(100) == b"<" + word + b">"
            writer.close()
            await asyncio.sleep(0.1)
            server.close()
        said = list(pieces(file))
        assert [(p.up, p.data) for p in said] == [(True, b"one\x00"), (False, b"<one\x00>"), (True, b"two"), (False, b"<two>")]
        answers = io.StringIO()
        assert await replay(file, behind, 0, answers) == (2, pytest.approx(11, abs=2))
        assert b"one" in bytes.fromhex("".join(line.split("\t")[4] for line in answers.getvalue().splitlines()))
        platform.close()

    asyncio.run(story())


def test_in_place_of_the_platform_it_answers_by_the_protocol(tmp_path):
    async def story() -> None:
        file = tmp_path / "a.tsv"
        raw = codec("sl651").encode(REPORT)
        with file.open("w") as out:
            server = await Recorder(out, None, codec("sl651")).serve("127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(raw)
            (answer,) = codec("sl651").stream().feed(await asyncio.wait_for(reader.read(100), 5))
            writer.close()
            server.close()
        assert isinstance(answer, Message) and answer.fields["end"] == "EOT" and answer.fields["serial"] == 7
        assert [(p.up, p.protocol) for p in pieces(file)] == [(True, "sl651"), (False, "sl651")]

    asyncio.run(story())


def test_bad_files_are_named(tmp_path):
    (tmp_path / "a").write_text("1\tx\n")
    with pytest.raises(FieldError, match="line 1"):
        list(pieces(tmp_path / "a"))
    with pytest.raises(FieldError, match="read"):
        list(pieces(tmp_path / "none"))


def test_killed_it_has_kept_what_was_passed(tmp_path):
    file = tmp_path / "录制.tsv"
    command = [sys.executable, "-m", "anlan", "capture", str(file), "--listen", "127.0.0.1:0", "--protocol", "sl651"]
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment)
    assert process.stderr is not None
    try:
        port = int(process.stderr.readline().decode().rsplit(":", 1)[1].split(",")[0])
        with socket.create_connection(("127.0.0.1", port), 5) as device:
            device.sendall(codec("sl651").encode(REPORT))
            assert device.recv(100)
        process.send_signal(signal.SIGKILL)
        process.wait(5)
        assert [p.up for p in pieces(file)] == [True, False]
        decoded = subprocess.run(
            [sys.executable, "-m", "anlan", "decode", "sl651"],
            input="".join(p.data.hex() + "\n" for p in pieces(file)).encode(), capture_output=True, env=environment,
        )  # fmt: skip
        assert decoded.returncode == 0 and decoded.stdout.count(b'"ok":true') == 2
    finally:
        process.kill()
        process.stderr.close()


def test_interrupted_it_says_how_much(tmp_path):
    command = [sys.executable, "-m", "anlan", "capture", str(tmp_path / "a"), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"})
    assert process.stderr is not None and process.stderr.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert b"0 connections" in process.stderr.read()
    process.stderr.close()
