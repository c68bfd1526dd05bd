"""The MQTT codec: golden bytes, every split, every breach. Numbers are the standard's statements."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anlan.collect.transports.mqtt import codec


def connect_body(flags: int = 0xC2, name: bytes = b"MQTT", level: int = 4, tail: bytes | None = None) -> bytes:
    fields = codec.field(b"a1") + codec.field(b"user") + codec.field(b"secret") if tail is None else tail
    return codec.field(name) + bytes((level, flags)) + b"\x00\x3c" + fields


def test_reads_a_golden_connect():
    data = bytes.fromhex("101c" + "00044d515454" + "04" + "c2" + "003c" + "00026131" + "000475736572" + "0006736563726574")
    [(head, body)] = codec.Splitter(1000).feed(data)
    assert codec.read_connect(head, body) == codec.Connect("a1", True, 60, "user", b"secret", None)


@pytest.mark.parametrize(
    ("built", "golden"),
    [
        (codec.connack(0, True), "20020100"),
        (codec.connack(5, True), "20020005"),  # 3.2.2-4
        (codec.puback(258), "40020102"),
        (codec.suback(7, [1, 0x80]), "9004000701" + "80"),
        (codec.unsuback(9), "b0020009"),
        (codec.publish("down/a", b"x", 1, 3), "320b0006646f776e2f61000378"),
        (codec.publish("down/a", b"x", 1, 3, dup=True), "3a0b0006646f776e2f61000378"),
        (codec.publish("down/a", b"x", 0, 0, dup=True), "30090006646f776e2f6178"),  # 3.3.1-2
        (codec.packet(0x30, bytes(200))[:3], "30c801"),
    ],
)
def test_builds_golden_bytes(built: bytes, golden: str):
    assert built.hex() == golden


packets = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=12)


@given(packets, st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_any_split_gives_the_same_packets(wanted, sizes):
    stream = b"".join(codec.packet(head, body) for head, body in wanted)
    split, found, at, turn = codec.Splitter(1000), [], 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        found += split.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == wanted and split.error is None and split.waiting == 0


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail_otherwise(data):
    split = codec.Splitter(200)
    readers = (codec.read_connect, codec.read_publish, codec.read_ack, codec.read_subscribe, codec.read_unsubscribe, codec.read_empty)
    for head, body in split.feed(data):
        for read in readers:
            try:
                read(head, body)
            except codec.BadPacket:
                pass
    assert split.waiting <= 205


def test_packets_before_a_fault_are_kept_and_nothing_after():
    split = codec.Splitter(100)
    assert split.feed(b"\xc0\x00" + b"\x30\xff\xff\xff\xff\x01" + b"\xc0\x00") == [(0xC0, b"")]
    assert "four bytes" in str(split.error)
    assert split.feed(b"\xc0\x00") == []


def test_a_packet_above_the_limit_is_refused_by_its_announcement():
    split = codec.Splitter(1024)
    assert split.feed(codec.packet(0x30, bytes(10_000_000))[:5]) == []
    assert isinstance(split.error, codec.TooLarge) and split.error.size == 10_000_000


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (0x11, connect_body()),  # 2.2.2-2
        (0x10, connect_body(name=b"MQTX")),  # 3.1.2-1
        (0x10, connect_body(flags=0xC3)),  # 3.1.2-3
        (0x10, connect_body(flags=0xCA)),  # 3.1.2-13: will QoS without will
        (0x10, connect_body(flags=0xE2)),  # 3.1.2-15: will retain without will
        (0x10, connect_body(flags=0xDE)),  # 3.1.2-14: will QoS 3
        (0x10, connect_body(flags=0x42)),  # 3.1.2-22
        (0x10, connect_body(tail=codec.field(b"a1") + codec.field(b"user"))),  # 3.1.2-21
        (0x10, connect_body(tail=b"")),  # 3.1.3-3
        (0x10, connect_body() + b"x"),
        (0x10, connect_body(tail=codec.field(b"\xff") + codec.field(b"u") + codec.field(b"p"))),  # 3.1.3-4
    ],
)
def test_bad_connects(head: int, body: bytes):
    with pytest.raises(codec.BadPacket):
        codec.read_connect(head, body)


@pytest.mark.parametrize(("name", "level"), [(b"MQTT", 5), (b"MQTT", 3), (b"MQIsdp", 3)])
def test_other_versions_are_told_apart(name: bytes, level: int):
    with pytest.raises(codec.BadVersion):  # 3.1.2-2
        codec.read_connect(0x10, connect_body(name=name, level=level))


TOPIC = codec.field(b"up/a")


@pytest.mark.parametrize(
    ("read", "head", "body"),
    [
        (codec.read_publish, 0x36, TOPIC + b"\0\1"),  # 3.3.1-4
        (codec.read_publish, 0x38, TOPIC),  # 3.3.1-2
        (codec.read_publish, 0x32, TOPIC + b"\0\0x"),  # 2.3.1-1
        (codec.read_publish, 0x32, TOPIC),
        (codec.read_publish, 0x30, codec.field(b"up/+")),  # 3.3.2-2
        (codec.read_publish, 0x30, codec.field(b"up/#")),
        (codec.read_publish, 0x30, codec.field(b"")),  # 4.7.3-1
        (codec.read_publish, 0x30, codec.field(b"a\0b")),  # 1.5.3-2, 4.7.3-2
        (codec.read_publish, 0x30, codec.field(b"\xed\xa0\x80")),  # 1.5.3-1: a surrogate
        (codec.read_subscribe, 0x80, b"\0\1" + TOPIC + b"\1"),  # 3.8.1-1
        (codec.read_subscribe, 0x82, b"\0\1"),  # 3.8.3-3
        (codec.read_subscribe, 0x82, b"\0\0" + TOPIC + b"\1"),  # 2.3.1-1
        (codec.read_subscribe, 0x82, b"\0\1" + TOPIC + b"\3"),  # 3.8.3-4
        (codec.read_subscribe, 0x82, b"\0\1" + TOPIC + b"\x81"),
        (codec.read_subscribe, 0x82, b"\0\1" + codec.field(b"a/#/b") + b"\1"),  # 4.7.1-2
        (codec.read_subscribe, 0x82, b"\0\1" + codec.field(b"a/b+") + b"\1"),  # 4.7.1-3
        (codec.read_unsubscribe, 0xA0, b"\0\1" + TOPIC),  # 3.10.1-1
        (codec.read_unsubscribe, 0xA2, b"\0\1"),  # 3.10.3-2
        (codec.read_empty, 0xC1, b""),
        (codec.read_empty, 0xE0, b"x"),  # 3.14.1-1
        (codec.read_ack, 0x41, b"\0\1"),
        (codec.read_ack, 0x40, b"\0\1\2"),
    ],
)
def test_bad_packets(read, head: int, body: bytes):
    with pytest.raises(codec.BadPacket):
        read(head, body)


def test_a_byte_order_mark_is_kept():
    assert codec.decode_text(b"\xef\xbb\xbfa") == "\ufeffa"  # 1.5.3-3


def test_topics_are_not_normalised():
    assert codec.decode_text("é".encode()) != codec.decode_text("e\u0301".encode())  # 4.7.3-4
