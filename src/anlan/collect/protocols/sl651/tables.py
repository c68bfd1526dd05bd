"""Tables of SL 651-2014: functions (annex B), station types (A), elements (C), parameters (D), status bits (table 58), events (82)."""

from __future__ import annotations

from dataclasses import dataclass

FUNCTIONS: dict[int, tuple[str, str]] = {
    0x2F: ("链路维持报", "link keep-alive"),
    0x30: ("测试报", "test report"),
    0x31: ("均匀时段水文信息报", "uniform interval report"),
    0x32: ("遥测站定时报", "timed report"),
    0x33: ("遥测站加报报", "added report"),
    0x34: ("遥测站小时报", "hourly report"),
    0x35: ("遥测站人工置数报", "manual values report"),
    0x36: ("图片报", "picture"),
    0x37: ("查询实时数据", "query real-time values"),
    0x38: ("查询时段数据", "query values of a period"),
    0x39: ("查询人工置数", "query manual values"),
    0x3A: ("查询指定要素", "query elements"),
    0x40: ("修改基本配置表", "write basic configuration"),
    0x41: ("读取基本配置表", "read basic configuration"),
    0x42: ("修改运行参数配置表", "write run parameters"),
    0x43: ("读取运行参数配置表", "read run parameters"),
    0x44: ("查询水泵电机实时数据", "query pump motor"),
    0x45: ("查询软件版本", "query software version"),
    0x46: ("查询状态和报警", "query status and alarms"),
    0x47: ("初始化固态存储", "clear the store"),
    0x48: ("恢复出厂设置", "factory settings"),
    0x49: ("修改密码", "change password"),
    0x4A: ("设置时钟", "set clock"),
    0x4B: ("设置IC卡状态", "set IC card state"),
    0x4C: ("控制水泵", "control pumps"),
    0x4D: ("控制阀门", "control valves"),
    0x4E: ("控制闸门", "control gates"),
    0x4F: ("水量定值控制", "water quota control"),
    0x50: ("查询事件记录", "query event counts"),
    0x51: ("查询时钟", "query clock"),
}

STATION_TYPES = {
    "P": "降水",
    "H": "河道",
    "K": "水库(湖泊)",
    "Z": "闸坝",
    "D": "泵站",
    "T": "潮汐",
    "M": "墒情",
    "G": "地下水",
    "Q": "水质",
    "I": "取水口",
    "O": "排水口",
}


@dataclass(frozen=True, slots=True)
class Element:
    """One coded element: guide byte, ASCII identifier, digits and decimals of N(D,d), unit as sent, quantity, factor and offset to SI."""

    id: int
    name: str
    zh: str
    digits: int
    decimals: int
    unit: str
    quantity: str
    si_unit: str
    factor: float = 1.0
    offset: float = 0.0

    @property
    def definition(self) -> int:
        """The data definition byte: high 5 bits bytes of BCD, low 3 bits decimals."""
        return ((self.digits + 1) // 2) << 3 | self.decimals


# unit as sent: (quantity unit in UCUM, factor, offset)
_SI = {
    "mm": ("m", 1e-3, 0.0),
    "m": ("m", 1.0, 0.0),
    "m2": ("m2", 1.0, 0.0),
    "Cel": ("K", 1.0, 273.15),
    "hPa": ("Pa", 100.0, 0.0),
    "kPa": ("Pa", 1000.0, 0.0),
    "%": ("1", 0.01, 0.0),
    "1": ("1", 1.0, 0.0),
    "m3/s": ("m3/s", 1.0, 0.0),
    "m3/h": ("m3/s", 1 / 3600, 0.0),
    "m3": ("m3", 1.0, 0.0),
    "10kt": ("kg", 1e7, 0.0),
    "m/s": ("m/s", 1.0, 0.0),
    "V": ("V", 1.0, 0.0),
    "A": ("A", 1.0, 0.0),
    "kg/m3": ("kg/m3", 1.0, 0.0),
    "mg/L": ("kg/m3", 1e-3, 0.0),
    "uS/cm": ("S/m", 1e-4, 0.0),
    "mV": ("V", 1e-3, 0.0),
    "h.min": ("s", 1.0, 0.0),
    "16th": ("rad", 0.39269908169872414, -0.39269908169872414),
}

# guide, identifier, name, digits, decimals, unit as sent, quantity (table C.1; numbered families below)
_ROWS = """01 AC 断面面积 8 2 m2 area
02 AI 瞬时气温 3 1 Cel temperature
03 C 瞬时水温 3 1 Cel temperature
05 DT 时段长 4 2 h.min duration
06 ED 日蒸发量 5 1 mm evaporation
07 EJ 当前蒸发量 5 1 mm evaporation
08 FL 气压 5 0 hPa pressure
09 GH 闸门开启高度 5 2 m gate_opening
0A GN 输水设备编号 3 0 1 -
0B GS 输水设备类别 1 0 1 -
0C GT 闸门开启孔数 3 0 1 count
0D GTP 地温 3 1 Cel temperature
0E H 地下水瞬时埋深 6 2 m groundwater_depth
0F HW 波浪高度 5 2 m height
10 M10 10cm土壤含水量 4 1 % soil_moisture
11 M20 20cm土壤含水量 4 1 % soil_moisture
12 M30 30cm土壤含水量 4 1 % soil_moisture
13 M40 40cm土壤含水量 4 1 % soil_moisture
14 M50 50cm土壤含水量 4 1 % soil_moisture
15 M60 60cm土壤含水量 4 1 % soil_moisture
16 M80 80cm土壤含水量 4 1 % soil_moisture
17 M100 100cm土壤含水量 4 1 % soil_moisture
18 MST 湿度 4 1 % relative_humidity
19 NS 开机台数 2 0 1 count
1A P1 1小时降水量 5 1 mm rainfall_sum
1B P2 2小时降水量 5 1 mm rainfall_sum
1C P3 3小时降水量 5 1 mm rainfall_sum
1D P6 6小时降水量 5 1 mm rainfall_sum
1E P12 12小时降水量 5 1 mm rainfall_sum
1F PD 日降水量 5 1 mm rainfall_sum
20 PJ 当前降水量 5 1 mm rainfall_sum
21 PN01 1分钟降水量 5 1 mm rainfall
22 PN05 5分钟降水量 5 1 mm rainfall
23 PN10 10分钟降水量 5 1 mm rainfall
24 PN30 30分钟降水量 5 1 mm rainfall
25 PR 暴雨量 5 1 mm rainfall_sum
26 PT 降水量累计值 6 1 mm rainfall_total
27 Q 瞬时流量 9 3 m3/s flow_rate
30 QA 总出库流量 9 3 m3/s flow_rate
31 QZ 输水设备流量 9 3 m3/s flow_rate
32 SW 输沙量 11 3 10kt mass
33 UC 风向 2 0 16th wind_direction
34 UE 风力 2 0 1 -
35 US 风速 4 1 m/s wind_speed
36 VA 断面平均流速 5 3 m/s flow_velocity
37 VJ 当前瞬时流速 5 3 m/s flow_velocity
38 VT 电源电压 4 2 V battery_voltage
39 Z 瞬时河道水位、潮位 7 3 m water_level
3A ZB 库(闸、站)下水位 7 3 m water_level
3B ZU 库(闸、站)上水位 7 3 m water_level
44 SQ 含沙量 9 3 kg/m3 mass_concentration
46 pH pH值 4 2 1 ph
47 DO 溶解氧 4 1 mg/L mass_concentration
48 COND 电导率 5 0 uS/cm conductivity
49 TURB 浊度 3 0 1 turbidity
4A CODMN 高锰酸盐指数 4 1 mg/L mass_concentration
4B REDOX 氧化还原电位 5 1 mV redox_potential
4C NH4N 氨氮 6 2 mg/L mass_concentration
4D TP 总磷 5 3 mg/L mass_concentration
4E TN 总氮 5 2 mg/L mass_concentration
4F TOC 总有机碳 4 2 mg/L mass_concentration
50 CU 铜 7 4 mg/L mass_concentration
51 ZN 锌 6 4 mg/L mass_concentration
52 SE 硒 7 5 mg/L mass_concentration
53 AS 砷 7 5 mg/L mass_concentration
54 THG 总汞 7 5 mg/L mass_concentration
55 CD 镉 7 5 mg/L mass_concentration
56 PB 铅 7 5 mg/L mass_concentration
57 CHLA 叶绿素a 4 2 mg/L mass_concentration
70 VTA 交流A相电压 4 1 V voltage
71 VTB 交流B相电压 4 1 V voltage
72 VTC 交流C相电压 4 1 V voltage
73 VIA 交流A相电流 4 1 A current
74 VIB 交流B相电流 4 1 A current
75 VIC 交流C相电流 4 1 A current"""
_FAMILIES = (  # first guide, identifier, name, digits, decimals, unit, quantity: eight of each
    (0x28, "Q", "取(排)水口流量", 9, 3, "m3/s", "flow_rate"),
    (0x3C, "Z", "取(排)水口水位", 7, 3, "m", "water_level"),
    (0x58, "WP", "水压", 5, 2, "kPa", "pressure"),
    (0x60, "SYL", "水表剩余水量", 11, 3, "m3", "volume"),
    (0x68, "SBL", "水表每小时水量", 10, 2, "m3/h", "flow_rate"),
)


def _table() -> dict[int, Element]:
    out = {}
    for row in _ROWS.splitlines():
        guide, name, zh, digits, decimals, unit, quantity = row.split()
        n = int(guide, 16)
        out[n] = Element(n, name, zh, int(digits), int(decimals), unit, quantity.strip("-"), *_SI[unit])
    for first, name, zh, d, f, unit, quantity in _FAMILIES:
        for k in range(8):
            out[first + k] = Element(first + k, f"{name}{k + 1}", f"{zh}{k + 1}", d, f, unit, quantity, *_SI[unit])
    return out


ELEMENTS = _table()
HOUR_NAMES = {0xF4: "DRP", **{0xF5 + k: f"DRZ{k + 1}" for k in range(8)}}  # twelve values of an hour
STEP, STATUS, TIME, STATION, MANUAL, PICTURE, VELOCITIES = 0x04, 0x45, 0xF0, 0xF1, 0xF2, 0xF3, 0xFD
IDS = {e.name.upper(): e.id for e in ELEMENTS.values()} | {n: i for i, n in HOUR_NAMES.items()}
IDS |= {"ZT": STATUS, "TT": TIME, "ST": STATION, "RGZS": MANUAL, "PIC": PICTURE, "DATA": VELOCITIES}

STATUS_BITS = (
    ("mains_lost", "交流电停电"),
    ("battery_low", "蓄电池电压低"),
    ("level_over_limit", "水位超限"),
    ("flow_over_limit", "流量超限"),
    ("quality_over_limit", "水质超限"),
    ("flow_meter_fault", "流量仪表故障"),
    ("level_meter_fault", "水位仪表故障"),
    ("box_closed", "终端箱门关闭"),
    ("store_fault", "存储器异常"),
    ("ic_card_valid", "IC卡有效"),
    ("pump_stopped", "水泵停机"),
    ("quota_exceeded", "剩余水量超限"),
)

EVENTS = [
    "history_cleared",
    "parameters_changed",
    "state_changed",
    "sensor_fault",
    "password_changed",
    "terminal_fault",
    "mains_lost",
    "battery_low",
    "box_opened",
    "pump_fault",
    "quota_alarm",
    "level_alarm",
    "pressure_alarm",
    "quality_alarm",
    "data_error",
    "message_sent",
    "message_received",
    "send_error",
]

BASIC = {  # table D.1: name, kind (h hex, b BCD text, c channel, t text, r relay ranges)
    0x01: ("中心站地址", "h"),
    0x02: ("遥测站地址", "b"),
    0x03: ("密码", "h"),
    **{0x04 + 2 * k + s: (f"中心站{k + 1}{'主' if s == 0 else '备用'}信道", "c") for k in range(4) for s in range(2)},
    0x0C: ("工作方式", "n"),
    0x0D: ("采集要素", "h"),
    0x0E: ("中继服务地址范围", "r"),
    0x0F: ("通信设备识别号", "t"),
}
CHANNELS = {0: "disabled", 1: "sms", 2: "ipv4", 3: "beidou", 4: "maritime satellite", 5: "pstn", 6: "vhf"}

_RUN = (
    "定时报时间间隔 加报时间间隔 降水量日起始时间 采样间隔 水位数据存储间隔 雨量计分辨力 水位计分辨力 雨量加报阈值 "
    + " ".join(f"水位基值{k}" for k in range(1, 9))
    + " "
    + " ".join(f"水位修正基值{k}" for k in range(1, 9))
    + " "
    + " ".join(f"加报水位{k}" for k in range(1, 9))
    + " 加报水位以上加报阈值 加报水位以下加报阈值 流量加报阈值 流速加报阈值 "
    "闸位加报阈值 功率加报阈值 气压加报阈值 风速加报阈值 水温加报阈值 "
    + " ".join(f"取(排)水口{k}{s}限水位" for k in range(1, 9) for s in "上下")
    + " "
    + " ".join(f"取(排)水口{k}{s}限水压" for k in range(1, 9) for s in "上下")
    + " "
    + " ".join(
        f"{n}{s}限"
        for n in [
            "水温",
            "pH值",
            "溶解氧",
            "高锰酸盐指数",
            "电导率",
            "氧化还原电位",
            "浊度",
            "氨氮",
            "总氮",
            "铜",
            "锌",
            "氟化物",
            "硒",
            "砷",
            "汞",
            "镉",
            "总有机碳",
            "叶绿素",
        ]
        for s in "上下"
    )
    + " 流量上限 "
    + " ".join(f"水表{k}充值水量" for k in range(1, 9))
    + " 水量定值量 固态存储数据初始化 恢复出厂设置 "
    + " ".join(f"水表{k}水量表底值" for k in range(1, 9))
    + " "
    + " ".join(f"水表{k}剩余水量报警值" for k in range(1, 9))
).split()
RUN = {0x20 + k: name for k, name in enumerate(_RUN)}  # table D.4, 20H-A8H
