"""`anlan cap check FILE... [--json]`: the verdict on CAP 1.2 and national (12379) messages."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from ..messages import Verdict, check, check_together

HELP = ("检查预警报文（CAP 1.2 与国家 12379）", "check alert messages (CAP 1.2 and national 12379)")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Command line of `anlan cap`."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    checker = verbs.add_parser("check", help="检查报文 · check messages")
    checker.add_argument("files", nargs="+", metavar="FILE")
    checker.add_argument("--json", action="store_true", help="每个文件一行 JSON · one JSON line per file")
    checker.add_argument(
        "--together", action="store_true", help="各文件同属一个接收方：同名异文为错误（R21）· files of one receiver: R21 is asked too"
    )
    checker.add_argument("--outgoing", action="store_true", help="按外发标准检查（告警即错误）· strict, as for our own messages")


def _verdicts(paths: list[str], outgoing: bool, together: bool) -> Iterator[tuple[str, Verdict]]:
    from ..contract import CheckFinding

    read: dict[str, bytes] = {}
    for path in paths:
        try:
            read[path] = Path(path).read_bytes()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            yield path, Verdict("", (CheckFinding("FILE", "error", f"读不到文件：{reason}", f"cannot read the file: {reason}"),))
            continue
        if not together:
            yield path, check(read.pop(path), outgoing=outgoing)
    if together:
        yield from zip(read, check_together(read.values(), outgoing=outgoing), strict=True)


def run(args: argparse.Namespace) -> int:
    """0 when every file is valid, 1 otherwise."""
    fine = True
    for path, verdict in _verdicts(args.files, args.outgoing, args.together):
        fine &= verdict.valid
        if args.json:
            row = {
                "file": path,
                "valid": verdict.valid,
                "format": verdict.format,
                "signature": verdict.signature,
                "findings": [f.as_dict() for f in verdict.findings],
            }
            print(json.dumps(row, ensure_ascii=False), flush=True)
        else:
            print(f"{'有效 valid  ' if verdict.valid else '无效 invalid'} {path}  签名 signature: {verdict.signature}")
            for finding in verdict.findings:
                print(f"  {finding.rule} [{finding.level}] {finding.zh}\n      {finding.en}")
    return 0 if fine else 1
