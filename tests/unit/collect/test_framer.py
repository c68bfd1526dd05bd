"""The framer: frames grow under load, receipts wait for every frame that holds their rows, memory is bounded."""

from __future__ import annotations

import asyncio

from anlan.base.block import ReadingBlock
from anlan.collect import framer as module
from anlan.collect.framer import Framer, Receipt


class Log:
    """A log that acknowledges when told to."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, str, ReadingBlock]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def publish(self, lane: int, message_id: str, frame: bytes) -> None:
        self.frames.append((lane, message_id, ReadingBlock.from_bytes(frame)))
        await self.gate.wait()


class Owner:
    def __init__(self) -> None:
        self.done: list[Receipt] = []

    def settled(self, receipt: Receipt) -> None:
        self.done.append(receipt)


def put(framer: Framer, owner: Owner, *rows: tuple[int, float]) -> Receipt:
    receipt = Receipt(owner)
    for lane, value in rows:
        columns = framer.lanes[lane]
        columns.time.append(1)
        columns.value.append(value)
        columns.station.append(1)
        columns.quantity.append(1)
    framer.join(receipt)
    receipt.release()
    return receipt


def test_rows_of_two_lanes_settle_after_both_frames():
    async def story() -> None:
        log, owner = Log(), Owner()
        framer = Framer(2, log.publish, 1, 500)
        receipt = put(framer, owner, (0, 1.0), (1, 2.0), (0, 3.0))
        assert receipt.left == 2 and not owner.done
        await asyncio.sleep(0.02)
        assert owner.done == [receipt] and framer.rows_held == 0
        assert sorted((lane, b.value.tolist()) for lane, _, b in log.frames) == [(0, [1.0, 3.0]), (1, [2.0])]

    asyncio.run(story())


def test_a_receipt_without_rows_is_settled_at_once():
    async def story() -> None:
        owner = Owner()
        receipt = put(Framer(2, Log().publish), owner)
        assert owner.done == [receipt]

    asyncio.run(story())


def test_few_frames_are_on_their_way_and_the_next_one_grows():
    async def story() -> None:
        log, owner = Log(), Owner()
        log.gate.clear()
        framer = Framer(1, log.publish, 1, 10)
        for i in range(400):
            put(framer, owner, (0, float(i)))
            if i % 20 == 0:
                await asyncio.sleep(0.002)
        assert len(log.frames) == module.OUTSTANDING and not owner.done
        log.gate.set()
        await asyncio.sleep(0.05)
        assert len(owner.done) == 400
        assert [v for _, _, b in log.frames for v in b.value.tolist()] == [float(i) for i in range(400)]
        assert len(log.frames[module.OUTSTANDING][2]) > 100
        assert len({message_id for _, message_id, _ in log.frames}) == len(log.frames)

    asyncio.run(story())


def test_full_pauses_and_room_is_announced_once(monkeypatch):
    async def story() -> None:
        monkeypatch.setattr(module, "MOST_ROWS", 100)
        log, owner, called = Log(), Owner(), []
        log.gate.clear()
        framer = Framer(1, log.publish, 1, 10)
        put(framer, owner, *[(0, 1.0)] * 120)
        assert framer.full
        framer.when_room(lambda: called.append(1))
        await asyncio.sleep(0.01)
        assert not called
        log.gate.set()
        await asyncio.sleep(0.01)
        assert called == [1] and not framer.full

    asyncio.run(story())


def test_a_huge_frame_is_cut_for_the_log(monkeypatch):
    async def story() -> None:
        monkeypatch.setattr(module, "LARGEST_FRAME", 50)
        log, owner = Log(), Owner()
        framer = Framer(1, log.publish, 1, 10)
        put(framer, owner, *[(0, float(i)) for i in range(120)])
        await asyncio.sleep(0.01)
        assert [len(b) for _, _, b in log.frames] == [50, 50, 20] and len(owner.done) == 1

    asyncio.run(story())


def test_drain_sends_what_is_held_and_says_whether_all_is_durable():
    async def story() -> None:
        log, owner = Log(), Owner()
        framer = Framer(2, log.publish, 10_000, 500)
        put(framer, owner, (0, 1.0), (1, 1.0))
        assert await framer.drain(1) and len(owner.done) == 1
        log.gate.clear()
        put(framer, owner, (0, 1.0))
        assert not await framer.drain(0.05) and len(owner.done) == 1

    asyncio.run(story())
