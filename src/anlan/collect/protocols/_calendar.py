"""The calendar of the compiled kernels: fields of Chinese standard time to UTC."""

from __future__ import annotations

from numba import njit


@njit(cache=True)
def utc_ms(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """UTC ms of a moment in UTC+8 (from 1970, proleptic Gregorian); -1 when the fields are no date and time."""
    if year < 1970 or month < 1 or month > 12 or day < 1 or hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return -1
    longest = 31
    if month == 2:
        longest = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        longest = 30
    if day > longest:
        return -1
    y = year - 1 if month <= 2 else year  # years begin in March: the leap day is the last
    m = month + 9 if month <= 2 else month - 3
    days = 365 * y + y // 4 - y // 100 + y // 400 + (153 * m + 2) // 5 + day - 1 - 719_468  # 719,468: 0000-03-01 to 1970-01-01
    return ((days * 24 + hour - 8) * 60 + minute) * 60_000 + second * 1000
