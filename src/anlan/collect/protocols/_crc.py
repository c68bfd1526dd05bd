"""CRC-16 with x16+x15+x2+1, reflected (A001), begun with FFFF: the sum of Modbus, of SL 651 and, bytewise otherwise, of HJ 212."""

from __future__ import annotations


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ 0xA001 if byte & 1 else byte >> 1
        rows.append(byte)
    return tuple(rows)


TABLE = _table()
