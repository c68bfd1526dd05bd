"""Everything that can be wrong with what a device sends: code, sentence and remedy in both languages.

Each dead letter carries one of these codes (``docs/mqtt.md`` lists them, checked by a test).
``{}`` in a sentence is filled with the offending detail.
"""

from __future__ import annotations

from dataclasses import dataclass

_TABLE: dict[str, tuple[str, str]] = {
    "collect.bad_json": (
        '报文不是合法 JSON（{}）。请按 {{"t":毫秒,"v":{{"键":数值}}}} 发送 UTF-8 文本。',
        'the message is not JSON ({}). Send UTF-8 text like {{"t": ms, "v": {{"key": number}}}}.',
    ),
    "collect.bad_shape": (
        '报文结构不对：{}。应为 {{"t":毫秒,"v":{{…}}}} 或其列表。',
        'the message has the wrong shape: {}. It must be {{"t": ms, "v": {{…}}}} or a list of such.',
    ),
    "collect.unknown_key": (
        "键 {} 未在该设备下登记。请在名录中为设备登记此键，或更正设备配置。",
        "key {} is not registered for this device. Register the key with the device, or correct the device.",
    ),
    "collect.wrong_unit": (
        "单位不符：{}。请改用该监测量可换算的单位。",
        "wrong unit: {}. Use a unit that converts to that quantity.",
    ),
    "collect.wrong_type": (
        "{} 的值不是数字。请发送 JSON 数字，不要加引号，缺测请省略该键。",
        "the value of {} is no number. Send a JSON number without quotes; leave the key out when there is no value.",
    ),
    "collect.not_finite": (
        "{} 的值为 NaN 或无穷。缺测请省略该键。",
        "the value of {} is NaN or infinite. Leave the key out when there is no value.",
    ),
    "collect.bad_time": (
        "时间 t 不是整数毫秒：{}。请发送 UTC 毫秒整数。",
        "time t is no whole number of milliseconds: {}. Send UTC milliseconds.",
    ),
    "collect.future_time": (
        "时间超前服务器 {} 秒。请给设备校时 (NTP)，并检查是否误把本地时间当作 UTC。",
        "the time is {} s ahead of the server. Set the device's clock (NTP); check that it sends UTC, not local time.",
    ),
    "collect.past_time": (
        "时间过旧：{}。设备时钟可能已复位到 1970 年，请校时后重发。",
        "the time is too old: {}. The device's clock has probably been reset to 1970; set it and send again.",
    ),
    "collect.too_many": (
        "一条报文含 {} 个读数，上限 10000。请分批发送。",
        "one message holds {} readings, the limit is 10,000. Send them in parts.",
    ),
    "collect.too_large": (
        "报文 {} 字节，上限 1 MiB，连接已关闭。请分批发送。",
        "a packet of {} bytes, the limit is 1 MiB; the connection was closed. Send it in parts.",
    ),
    "collect.disk_full": (
        "服务器磁盘将满，暂不接收读数{}。未确认的数据请保留，稍后重发；运维人员正在收到提示。",
        "the server's disk is nearly full and takes no readings now{}. Keep what was not acknowledged and send it again later.",
    ),
    "collect.wrong_credential": (
        "登录被拒：{}。请核对设备号、用户名和密钥；需要时在名录中重置密钥。",
        "log-in refused: {}. Check client id, user name and secret; reset the secret in the register if needed.",
    ),
    "collect.too_many_logins": (
        "登录失败过于频繁（{}），暂时拒绝。请更正凭据后等待一分钟。",
        "too many failed log-ins ({}), refused for now. Correct the credentials and wait a minute.",
    ),
    "collect.foreign_topic": (
        "主题 {} 不属于该设备，连接已关闭。只能发布 up/<设备号> 与 reply/<设备号>。",
        "topic {} is not this device's own; the connection was closed. Publish to up/<client id> and reply/<client id> only.",
    ),
    "collect.foreign_filter": (
        "不能订阅 {}。只能订阅自己的 down/<设备号>，不支持通配符。",
        "cannot subscribe to {}. Only the device's own down/<client id> is offered, without wildcards.",
    ),
    "collect.qos2": (
        "不支持 QoS 2（{}），连接已关闭。请改用 QoS 1：读数按测点、监测量与时间去重，重发无害。",
        "QoS 2 is not offered ({}); the connection was closed. Use QoS 1: repeats are recognised by station, quantity and time.",
    ),
    "collect.retained": (
        "不支持保留消息（{}），连接已关闭。请将 RETAIN 置 0。",
        "retained messages are not offered ({}); the connection was closed. Set RETAIN to 0.",
    ),
    "collect.will": (
        "不支持遗嘱消息（{}），连接被拒。请去掉遗嘱；平台自行判断掉线。",
        "wills are not offered ({}); the connection was refused. Remove the will; the platform notices silence by itself.",
    ),
    "collect.bad_packet": (
        "违反 MQTT 3.1.1：{}，连接已关闭。请检查设备的 MQTT 实现。",
        "breach of MQTT 3.1.1: {}; the connection was closed. Check the device's MQTT implementation.",
    ),
    "collect.bad_reply": (
        '指令回执无法识别：{}。应为 {{"id":"指令号","state":"playing|done|failed"}}。',
        'the reply cannot be read: {}. It must be {{"id": "<command id>", "state": "playing|done|failed"}}.',
    ),
    "collect.unknown_command": (
        "回执对应的指令 {} 不存在或不属于该设备。",
        "the reply names command {}, which does not exist or is another device's.",
    ),
    "collect.bad_frame": (
        "成帧数据无法识别：{}。应为 ANLANRB1 块。",
        "the block cannot be read: {}. It must be an ANLANRB1 block.",
    ),
    "collect.unknown_series": (
        "测点号/监测量未登记：{}。请核对汇集站的测点表。",
        "station number or quantity is not registered: {}. Check the collector's station table.",
    ),
    "collect.out_of_scope": (
        "测点不在该汇集站的区划内：{}。",
        "the station is outside this collector's division: {}.",
    ),
    "collect.bad_quality": (
        "质量码应为 0–4：{}。",
        "quality must be 0 to 4: {}.",
    ),
    "collect.not_a_collector": (
        "设备 {} 不是汇集站，不能使用成帧接口。请将类别改为 collector。",
        "device {} is no collector and may not use the framed port. Register it with kind collector.",
    ),
    "collect.bad_message": (
        "协议报文无法解码：{}。原始报文已保留；请用 anlan decode 核对，必要时更正设备或厂家配置。",
        "the protocol's message cannot be decoded: {}. It is kept raw; look at it with anlan decode, correct the device or its profile.",
    ),
    "collect.unknown_device": (
        "设备 {} 未以该协议登记或已停用。请在名录中登记设备号与协议。",
        "device {} is not registered for this protocol, or disabled. Register its number and protocol.",
    ),
    "collect.not_authenticated": (
        "终端 {} 未鉴权，只能注册或鉴权。",
        "terminal {} is not authenticated; it may only register or authenticate.",
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that was wrong, `count` times in the same message."""

    code: str
    detail: str = ""
    count: int = 1

    @property
    def zh(self) -> str:
        """What is wrong and what to do, Chinese."""
        return _TABLE[self.code][0].format(self.detail)

    @property
    def en(self) -> str:
        """What is wrong and what to do, English."""
        return _TABLE[self.code][1].format(self.detail)

    def as_dict(self) -> dict[str, object]:
        """JSON-ready: code, zh, en, count."""
        return {"code": self.code, "zh": self.zh, "en": self.en, "count": self.count}


def codes() -> list[str]:
    """All codes, in the order of the docs."""
    return list(_TABLE)
