"""Notify 发布: a signed warning becomes notices, and notices become receipts.

In: signed warnings (or standing-order acts), the register of households, people, devices.
Out: one notice per recipient and channel, a hash-chained receipt ledger of four facts (channel
took it, device got it, person confirmed, person acted), call-and-answer chains that go to
the next person until somebody answers. What can go wrong: a channel fails (bounded retry,
next channel), a receipt never comes (shown as silent, on the door-knock list).
"""
