"""``anlan decode``: frames of a device protocol from stdin, one JSON answer a line; no database is needed."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ...base.errors import FieldError

HELP = ("解码设备协议帧（每行一帧，输出 JSON）", "decode frames of a device protocol, one a line, to JSON")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The protocol and a device's settings in it."""
    parser.add_argument("protocol", help="协议名 · name of the protocol (a wrong one lists them)")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="设备的协议选项 · a device's setting in it")


def options_of(pairs: list[str]) -> dict[str, Any]:
    """``NAME=VALUE`` pairs as options: true, false and numbers are taken as such. FieldError without ``=``."""
    import json

    out: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise FieldError("option", pair, "应为 名=值", "must be NAME=VALUE", code="collect.bad_option")
        try:
            out[name] = json.loads(value)
        except ValueError:
            out[name] = value
    return out


def run(args: argparse.Namespace) -> int:
    """Answer every line of stdin; 1 when a frame was refused."""
    from ..codec import codec
    from ..decoding import Decoder, as_json, lines_of

    decoder = Decoder(codec(args.protocol), {"clock_behind_s": 0, **options_of(args.option)})
    refused = False
    try:
        for line in lines_of(sys.stdin.buffer):
            answer = decoder.answer(line)
            refused = refused or not answer["ok"]
            sys.stdout.buffer.write(as_json(answer))
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    return int(refused)
