"""Excel and CSV files as plain tables, in and out. What cannot be read is refused with one clear sentence.

Out: text that a spreadsheet would run as a formula is written so that it stays text (a leading ``'`` in CSV,
a quoted text cell in Excel); `read_table` takes that mark off again.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..base.clock import BEIJING
from ..base.errors import AnlanError, FieldError

FORMULA = ("=", "+", "-", "@", "\t", "\r")
LARGEST_UNPACKED = 600 * 1024 * 1024  # bytes of an Excel file's parts together: more is a zip bomb, not a ledger
LARGEST_CELL = 100_000
MIME = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


@dataclass(frozen=True, slots=True)
class Table:
    """A header and rows of cells (text, number, bool, datetime or None); `first` is the sheet's row number of rows[0]."""

    format: str
    header: list[str]
    rows: list[list[Any]]
    first: int


def bad_file(name: str, zh: str, en: str) -> FieldError:
    """The error of a file that cannot be read."""
    return FieldError("file", name, zh, en, code="register.bad_file")


def read_table(data: bytes, name: str) -> Table:
    """The first sheet of an .xlsx file, or a .csv file (UTF-8 or GB 18030; comma, semicolon or tab)."""
    if not data:
        raise bad_file(name, "文件是空的，请重新导出", "the file is empty; export it again")
    if data[:4] == b"PK\x03\x04":
        return _read_xlsx(data, name)
    if data[:4] == b"\xd0\xcf\x11\xe0":
        raise bad_file(
            name,
            "是旧版 .xls 或加了密码的文件，请去掉密码并另存为 .xlsx",
            "it is an old .xls file or has a password; remove the password and save it as .xlsx",
        )
    if name.lower().endswith((".xlsx", ".xlsm", ".xls")) or b"\x00" in data[:4096]:
        raise bad_file(
            name,
            "不是完整的 Excel 文件（可能没有传完），请在 Excel 里重新保存后再传",
            "it is no complete Excel file (half-written?); save it again in Excel and retry",
        )
    return _read_csv(data, name)


def _read_xlsx(data: bytes, name: str) -> Table:
    from openpyxl import load_workbook

    broken = bad_file(
        name,
        "Excel 文件不完整或已损坏，请在 Excel 里打开、另存后再传",
        "the Excel file is incomplete or damaged; open it in Excel, save a copy and retry",
    )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(info.file_size for info in archive.infolist()) > LARGEST_UNPACKED:
                raise bad_file(name, "展开后过大，请拆成几个文件", "it is too large when unpacked; split it into several files")
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        rows = [[_from_excel(c) for c in row] for row in sheet.iter_rows(values_only=True)]
        book.close()
    except AnlanError:
        raise
    except Exception as error:  # openpyxl raises whatever its XML or zip reader does on damaged files
        raise broken from error
    return _table("xlsx", name, rows)


def _from_excel(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=BEIJING) if value.tzinfo is None else value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return _unmark(value) if isinstance(value, str) else value


def _read_csv(data: bytes, name: str) -> Table:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            raise bad_file(name, "文字编码无法识别，请存为 UTF-8", "its text encoding is unknown; save it as UTF-8") from None
    if "\x00" in text:
        raise bad_file(name, "含有二进制内容，不是 CSV 文件", "it holds binary content and is no CSV file")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows: list[list[Any]] = [[_unmark(c) for c in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]
    except csv.Error as error:
        raise bad_file(name, f"CSV 格式有误：{error}", f"the CSV cannot be read: {error}") from None
    return _table("csv", name, rows)


def _unmark(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA else text


def _table(kind: str, name: str, rows: list[list[Any]]) -> Table:
    start = next((i for i, row in enumerate(rows) if any(c not in (None, "") for c in row)), None)
    if start is None:
        raise bad_file(name, "没有任何内容，请用模板填写", "there is nothing in it; fill in the template")
    header = ["" if c is None else str(c).strip() for c in rows[start]]
    while header and not header[-1]:
        header.pop()
    body = rows[start + 1 :]
    while body and all(c in (None, "") for c in body[-1]):
        body.pop()
    if not body:
        raise bad_file(name, "只有表头，没有数据行", "it has a header but no rows")
    return Table(kind, header, body, start + 2)


def write_table(kind: str, header: Sequence[str], rows: Iterable[Sequence[Any]], notes: Sequence[Sequence[Any]] = ()) -> bytes:
    """A file of this kind (``csv`` or ``xlsx``); `notes` become a second sheet in Excel. Times are written in Beijing time."""
    if kind == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow([_csv_cell(c) for c in header])
        writer.writerows([_csv_cell(c) for c in row] for row in rows)
        return b"\xef\xbb\xbf" + out.getvalue().encode()
    if kind == "xlsx":
        return _write_xlsx(header, rows, notes)
    raise FieldError("format", kind, "应为 csv 或 xlsx", "must be csv or xlsx")


def _csv_cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(BEIJING).isoformat(sep=" ", timespec="seconds")
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA and value[:1] else value


def _write_xlsx(header: Sequence[str], rows: Iterable[Sequence[Any]], notes: Sequence[Sequence[Any]]) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)

    def cell(sheet: Any, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(BEIJING).replace(tzinfo=None)
        if not isinstance(value, str):
            return value
        value = ILLEGAL_CHARACTERS_RE.sub("", value)[:32_767]
        if value[:1] not in FORMULA or not value:
            return value
        made = WriteOnlyCell(sheet, value=value)
        made.data_type = "s"  # stays text, whatever it looks like
        made.quotePrefix = True
        return made

    for title, table in (("数据", [header, *rows]), ("说明", notes)):
        if table:
            sheet = book.create_sheet(title)
            for row in table:
                sheet.append([cell(sheet, c) for c in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
