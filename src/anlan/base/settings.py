"""Settings: environment variables ``ANLAN_*`` with typed defaults, one table, documented.

Every setting is a row of `SETTINGS` (name, type, default, meaning in both languages); the
docs page is checked against it. `get` reads the environment when called, never at import.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import FieldError


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: environment name without the prefix, type, default, meaning."""

    name: str
    type: type
    default: Any
    zh: str
    en: str


_ROWS = (
    Setting("DATA", str, "", "数据目录（默认 ~/.local/share/anlan）", "data folder (default ~/.local/share/anlan)"),
    Setting("DATABASE_URL", str, "", "外部 PostgreSQL 地址；空则启动内嵌", "attach this PostgreSQL; empty starts the embedded one"),
    Setting("NATS_URL", str, "", "外部 NATS 地址；空则启动内嵌", "attach this NATS server; empty starts the embedded one"),
    Setting(
        "LANES",
        int,
        2,
        "日志流（车道）数，分区按模分配；安装后不改",
        "log streams; partitions are dealt to them by modulo; fixed at install",
    ),
    Setting("PARTITIONS", int, 16, "分区数；安装后不改", "partitions; fixed at install"),
    Setting("HTTP_PORT", int, 0, "网页端口；0 为自动", "web port; 0 finds a free one, 8600 first"),
    Setting("MQTT_PORT", int, 0, "设备 MQTT 端口；0 为自动", "device MQTT port; 0 finds a free one, 1883 first"),
    Setting("PUSH_PORT", int, 0, "设备 HTTP 推送端口；0 为自动", "device HTTP push port; 0 finds a free one, 8601 first"),
    Setting("FRAME_PORT", int, 0, "成帧 TCP 端口；0 为自动", "framed TCP port; 0 finds a free one, 8602 first"),
    Setting(
        "JT808_PORT",
        int,
        -1,
        "JT/T 808 车载终端 TCP 端口；-1 不开，0 为自动",
        "JT/T 808 TCP port; -1 closed, 0 finds a free one, 8603 first",
    ),
    Setting(
        "SL651_PORT",
        int,
        -1,
        "SL 651 水文遥测站 TCP 端口；-1 不开，0 为自动",
        "SL 651 TCP port; -1 closed, 0 finds a free one, 8604 first",
    ),
    Setting(
        "HJ212_PORT",
        int,
        -1,
        "HJ 212 环保数采仪 TCP 端口；-1 不开，0 为自动",
        "HJ 212 TCP port; -1 closed, 0 finds a free one, 8605 first",
    ),
    Setting(
        "GB26875_PORT",
        int,
        -1,
        "GB/T 26875.3 消防传输装置 TCP 端口；-1 不开，0 为自动",
        "GB/T 26875.3 TCP port; -1 closed, 0 finds a free one, 8606 first",
    ),
    Setting("RAW_MB", int, 2000, "原始协议报文最多保留 MB；0 不保留", "raw protocol frames kept, MB at most; 0 keeps none"),
    Setting("RAW_HOURS", float, 72.0, "原始协议报文保留小时", "hours that raw protocol frames are kept"),
    Setting("TLS_CERT", str, "", "设备端口的 TLS 证书文件 (PEM)；空为明文", "TLS certificate file (PEM) of the device ports; empty: plain"),
    Setting("TLS_KEY", str, "", "TLS 私钥文件 (PEM)", "TLS private key file (PEM)"),
    Setting("BIND", str, "127.0.0.1", "对外监听地址", "address that web and device ports listen on"),
    Setting(
        "DURABILITY",
        str,
        "disk",
        "确认时机：disk 落盘 / memory 仅日志内存",
        "when a device is answered: disk, or memory (log has it, not yet synced)",
    ),
    Setting("FRAME_MS", float, 2.0, "网关成帧等待毫秒 (2–10)", "gateway group-commit window, ms (2-10)"),
    Setting("FRAME_ROWS", int, 500, "网关每帧读数（负载大时可增长）", "readings a frame before it is cut (grows under load)"),
    Setting("LOG_HOURS", float, 48.0, "消息日志保留小时", "hours that the message log keeps"),
    Setting("LOG_GB", float, 20.0, "消息日志最大 GB", "largest size of the message log, GB"),
    Setting(
        "HOT_INDEX_RATE",
        float,
        50_000.0,
        "超过此读数/秒，热小时不再按测点建索引",
        "readings/s above which hot hours carry no index by series",
    ),
    Setting("SEAL_AFTER_S", float, 600.0, "整点过后多少秒封存该小时", "seconds after the full hour until an hour of readings is sealed"),
    Setting("RETAIN_DAYS", float, 0.0, "读数保留天数；0 为永久", "days that sealed readings are kept; 0 for ever"),
    Setting("FUTURE_S", float, 300.0, "读数时间最多超前秒数", "how far ahead of the clock a reading may be, seconds"),
    Setting(
        "DISK_MIN_GB",
        float,
        1.0,
        "数据盘剩余低于此 GB 时，网关不再接收读数（不确认，设备重发）；0 关闭",
        "free GB on the data disk below which the gateway takes no readings (not answered, devices resend); 0: off",
    ),
    Setting(
        "HUNG_S",
        float,
        30.0,
        "进程无心跳（引擎不应答）多少秒后强制重启；0 关闭",
        "seconds without a heartbeat (engines: an answer) after which a process is killed and started again; 0: never",
    ),
    Setting(
        "CLOCK_STEP_S", float, 5.0, "时钟跳变多少秒起提示值班人员", "a step of the machine's clock from which people are told, seconds"
    ),
    Setting(
        "CLOCK_TRUST_S",
        float,
        3600.0,
        "时钟回拨后，仍按原时间走多少秒再采信新时间",
        "seconds that readings' window and ticks go on by the old time after the clock was set back, before the new one is believed",
    ),
    Setting(
        "OUTBOX_DAYS",
        float,
        90.0,
        "已派发事件保留天数（台账引用的永久保留）；0 为永久",
        "days that dispatched events are kept (those that records show stay); 0: for ever",
    ),
    Setting("LETTER_DAYS", float, 365.0, "死信保留天数；0 为永久", "days that dead letters are kept; 0: for ever"),
    Setting(
        "AUDIT_YEARS",
        float,
        10.0,
        "审计记录在库年数，之后先导出到 archive/ 再删除；0 为永久",
        "years that audit entries stay in the database; then they are exported to archive/ and removed; 0: for ever",
    ),
    Setting("PAST_DAYS", float, 3650.0, "读数时间最多滞后天数", "how old a reading may be, days"),
    Setting("SECRET_KEY", str, "", "网页签名密钥；空则在数据目录生成", "web signing key; empty makes one in the data folder"),
    Setting("BASEMAP_URL", str, "", "外部底图瓦片地址模板；空为全离线", "tile URL template of an external base map; empty stays offline"),
    Setting("BASEMAP_HOSTS", str, "", "允许浏览器访问的底图主机，空格分隔", "hosts of the base map that browsers may ask, space separated"),
    Setting("SECURE", int, 0, "1：仅经 HTTPS（安全 Cookie）", "1: served by HTTPS only (secure cookies)"),
    Setting(
        "DESK_PHONE",
        str,
        "",
        "值守台电话；空则用值守岗任职者的电话",
        "phone of the duty desk; empty: that of whoever holds the duty post",
    ),
    Setting("SMTP_URL", str, "", "邮件服务器 smtp://user:pass@host:port", "mail server smtp://user:pass@host:port"),
    Setting(
        "CAP_SENDER",
        str,
        "",
        "本机构在 CAP 报文中的标识（如 yjj@example.gov.cn、域名或 OID）",
        "our organisation's identifier in CAP messages (mail-like, a domain name or an OID)",
    ),
    Setting("GATEWAY", str, "", "短信/语音网关的模板文件 (TOML)；空为不用", "template file (TOML) of an SMS or voice gateway; empty: none"),
    Setting("PUBLIC_URL", str, "", "外部访问本站的地址，供短信链接与网关回执", "our web address from outside, for links and receipts"),
    Setting("STORY", str, "", "演示时钟（由 anlan demo 设置）", "story clock real_ms:story_ms:speed, set by `anlan demo`"),
    Setting(
        "CLOCK_SHIFT",
        str,
        "",
        "测试用：内容为毫秒数的文件，加到机器时钟上",
        "for tests: a file with milliseconds that are added to the machine's clock",
    ),
    Setting("LOG_LEVEL", str, "info", "日志级别", "log level"),
)
SETTINGS = {row.name: row for row in _ROWS}


def get(name: str) -> Any:
    """The value of setting `name`; FieldError when the environment holds nonsense."""
    row = SETTINGS[name]
    raw = os.environ.get(f"ANLAN_{name}")
    if raw is None or raw == "":
        return row.default
    try:
        return row.type(raw)
    except ValueError:
        raise FieldError(
            f"ANLAN_{name}", raw, f"应为 {row.type.__name__}", f"must be {row.type.__name__}", code="base.bad_setting"
        ) from None


def data_folder() -> Path:
    """The data folder (not created here)."""
    chosen = get("DATA")
    return Path(chosen).expanduser().resolve() if chosen else Path.home() / ".local/share/anlan"
