"""Tables of HJ 212-2017 and HJ/T 212-2005: commands, systems, answers, data flags, factors (HJ 524, HJ 525 and the numbers of 2005)."""

from __future__ import annotations

from dataclasses import dataclass

COMMANDS: dict[int, tuple[str, str]] = {
    1000: ("设置超时时间及重发次数", "set time-out and retries"),
    1001: ("设置超时时间及重发次数(2005)", "set time-out and retries (2005)"),
    1011: ("提取/上传现场机时间", "device time"),
    1012: ("设置现场机时间", "set device time"),
    1013: ("现场机时间校准请求", "device asks for the time"),
    1021: ("提取污染物报警门限值(2005)", "alarm limits (2005)"),
    1022: ("设置污染物报警门限值(2005)", "set alarm limits (2005)"),
    1031: ("提取上位机地址(2005)", "centre address (2005)"),
    1032: ("设置上位机地址(2005)", "set centre address (2005)"),
    1041: ("提取数据上报时间(2005)", "report time (2005)"),
    1042: ("设置数据上报时间(2005)", "set report time (2005)"),
    1061: ("提取/上传实时数据间隔", "real-time interval"),
    1062: ("设置实时数据间隔", "set real-time interval"),
    1063: ("提取/上传分钟数据间隔", "minute data interval"),
    1064: ("设置分钟数据间隔", "set minute data interval"),
    1072: ("设置现场机访问密码", "set device password"),
    2011: ("实时数据", "real-time data"),
    2012: ("停止察看实时数据", "stop real-time data"),
    2021: ("设备运行状态", "equipment states"),
    2022: ("停止察看设备运行状态", "stop equipment states"),
    2031: ("日历史数据", "day data"),
    2041: ("设备运行时间日历史数据", "day data of running times"),
    2051: ("分钟数据", "minute data"),
    2061: ("小时数据", "hour data"),
    2071: ("污染物报警记录(2005)", "alarm records (2005)"),
    2072: ("污染物报警事件(2005)", "alarm event (2005)"),
    2081: ("数采仪开机时间", "boot time"),
    3011: ("零点校准量程校准", "zero and span calibration"),
    3012: ("即时采样", "sample now"),
    3013: ("启动清洗/反吹", "clean or blow back"),
    3014: ("比对采样", "comparison sample"),
    3015: ("超标留样", "keep a sample"),
    3016: ("设置采样时间周期", "set sampling period"),
    3017: ("提取采样时间周期", "sampling period"),
    3018: ("提取出样时间", "time to a sample"),
    3019: ("提取设备唯一标识", "serial number of equipment"),
    3020: ("提取现场机信息", "device information"),
    3021: ("设置现场机参数", "set device parameters"),
    9011: ("请求应答", "answer to a request"),
    9012: ("执行结果", "result of a request"),
    9013: ("通知应答", "answer to a notice"),
    9014: ("数据应答", "answer to data"),
    9021: ("登录请求(2005)", "login (2005)"),
    9022: ("登录应答(2005)", "answer to a login (2005)"),
}
SYSTEMS = {
    "21": "地表水质量监测", "22": "空气质量监测", "23": "声环境质量监测", "24": "地下水质量监测", "25": "土壤质量监测",
    "26": "海水质量监测", "27": "挥发性有机物监测", "31": "大气环境污染源", "32": "地表水体环境污染源", "33": "地下水体环境污染源",
    "34": "海洋环境污染源", "35": "土壤环境污染源", "36": "声环境污染源", "37": "振动环境污染源", "38": "放射性环境污染源",
    "39": "工地扬尘污染源", "41": "电磁环境污染源", "51": "烟气排放过程监控", "52": "污水排放过程监控", "91": "系统交互",
}  # fmt: skip
QN_RETURNS = {
    "1": "准备执行请求", "2": "请求被拒绝", "3": "PW错误", "4": "MN错误", "5": "ST错误", "6": "Flag错误", "7": "QN错误", "8": "CN错误",
    "9": "CRC校验错误", "100": "未知错误",
}  # fmt: skip
EXE_RETURNS = {
    "1": "执行成功",
    "2": "执行失败",
    "3": "命令请求条件错误",
    "4": "通讯超时",
    "5": "系统繁忙",
    "6": "系统故障",
    "100": "没有数据",
}

# data flag: words and base.block.Quality (0 good, 1 suspect, 2 bad, 3 missing, 4 estimated)
FLAGS: dict[str, tuple[str, int]] = {
    "N": ("正常", 0), "F": ("停运", 2), "M": ("维护", 2), "S": ("手工输入", 4), "D": ("故障", 2), "C": ("校准", 2), "T": ("超测量上限", 1),
    "B": ("通讯异常", 2), "P": ("电源故障", 2), "L": ("低于下限", 1), "H": ("有效数据不足", 1), "R": ("数据突变", 1),
}  # fmt: skip
NUMERIC = frozenset(("Rtd", "Min", "Avg", "Max", "Cou", "ZsRtd", "ZsMin", "ZsAvg", "ZsMax", "RT", "Data", "DayData", "NightData", "Ala"))
SUFFIXES = NUMERIC | {"Flag", "EFlag", "SampleTime", "Info", "SN", "RS"}
TIMES = frozenset(("DataTime", "BeginTime", "EndTime", "SystemTime", "RestartTime", "SampleTime", "AlarmTime"))


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor: name, unit as sent (UCUM), quantity, and what turns it into SI."""

    code: str
    zh: str
    unit: str
    quantity: str
    si_unit: str
    factor: float
    offset: float = 0.0


UNITS: dict[str, tuple[str, str, float, float]] = {  # unit as sent: quantity, SI unit, factor, offset
    "mg/L": ("mass_concentration", "kg/m3", 1e-3, 0),
    "ug/L": ("mass_concentration", "kg/m3", 1e-6, 0),
    "mg/m3": ("airborne_concentration", "kg/m3", 1e-6, 0),
    "ug/m3": ("airborne_concentration", "kg/m3", 1e-9, 0),
    "ng/m3": ("airborne_concentration", "kg/m3", 1e-12, 0),
    "L/s": ("flow_rate", "m3/s", 1e-3, 0),
    "m3/s": ("flow_rate", "m3/s", 1, 0),
    "m3/h": ("flow_rate", "m3/s", 1 / 3600, 0),
    "Cel": ("temperature", "K", 1, 273.15),
    "Pa": ("pressure", "Pa", 1, 0),
    "kPa": ("pressure", "Pa", 1e3, 0),
    "hPa": ("pressure", "Pa", 1e2, 0),
    "m/s": ("wind_speed", "m/s", 1, 0),
    "flow m/s": ("flow_velocity", "m/s", 1, 0),
    "deg": ("wind_direction", "rad", 0.017453292519943295, 0),
    "rh%": ("relative_humidity", "1", 1e-2, 0),
    "vol%": ("gas_concentration", "1", 1e-2, 0),
    "ppm": ("gas_concentration", "1", 1e-6, 0),
    "ph": ("ph", "1", 1, 0),
    "uS/cm": ("conductivity", "S/m", 1e-4, 0),
    "NTU": ("turbidity", "1", 1, 0),
    "mV": ("redox_potential", "V", 1e-3, 0),
    "times": ("", "1", 1, 0),
    "m2": ("area", "m2", 1, 0),
    "m": ("water_level", "m", 1, 0),
    "mm": ("rainfall", "m", 1e-3, 0),
    "dB": ("sound_level", "dB", 1, 0),
    "1": ("", "1", 1, 0),
}

# codes and names by unit as sent; water (HJ 525), air (HJ 524), noise
_GROUPS: dict[str, str] = {
    "L/s": "w00000 污水 B01 污水",
    "ph": "w01001 pH值 001 pH值",
    "times": "w01002 色度 002 色度",
    "NTU": "w01003 浊度",
    "Cel": "w01010 水温 a01001 温度 a01012 烟气温度 a01015 制冷温度 S03 烟气温度 S06 制冷温度",
    "uS/cm": "w01014 电导率",
    "mg/L": (
        "w01006 溶解性总固体 w01009 溶解氧 w01012 悬浮物 w01016 叶绿素a w01017 五日生化需氧量 w01018 化学需氧量 w01019 高锰酸盐指数 "
        "w01020 总有机碳 w19002 阴离子表面活性剂 w20012 钡 w20023 硼 w20038 钴 w20061 钼 w20089 铊 w20092 锡 w20111 总汞 w20113 烷基汞 "
        "w20115 总镉 w20116 总铬 w20117 六价铬 w20119 总砷 w20120 总铅 w20121 总镍 w20122 总铜 w20123 总锌 w20124 总锰 w20125 总铁 "
        "w20126 总银 w20127 总铍 w20128 总硒 w21001 总氮 w21003 氨氮 w21004 凯氏氮 w21006 亚硝酸盐 w21007 硝酸盐 w21011 总磷 "
        "w21016 氰化物 w21017 氟化物 w21019 硫化物 w21022 氯化物 w21038 硫酸盐 w22001 石油类 w23002 挥发酚 w99001 有效氯 "
        "003 悬浮物 010 生化需氧量 011 化学需氧量 020 总汞 021 烷基汞 022 总镉 023 总铬 024 六价铬 026 总砷 027 总铅 028 总镍 "
        "029 总铜 030 总锌 031 总锰 032 总铁 033 总银 034 总铍 035 总硒 060 氨氮 065 总氮 101 总磷"
    ),
    "m3/s": "a00000 废气",
    "m3/h": "B02 废气",
    "rh%": "a01002 湿度",
    "vol%": "a01014 烟气湿度 a19001 氧气含量 a05001 二氧化碳 S01 氧气含量 S05 烟气湿度",
    "kPa": "a01006 气压 a01017 烟气动压 S04 烟气动压",
    "Pa": "a01013 烟气压力 S08 烟气压力",
    "m/s": "a01007 风速",
    "deg": "a01008 风向",
    "flow m/s": "a01011 烟气流速 S02 烟气流速",
    "mm": "a01005 降水量",
    "m2": "a01016 烟道截面积 S07 烟道截面积",
    "1": "a01010 林格曼黑度 36 林格曼黑度 w02003 粪大肠菌群 w02006 细菌总数 w19011 蓝绿藻密度",
    "mg/m3": (
        "a05002 甲烷 a05024 臭氧 a20007 砷 a20016 铍及其化合物 a20025 镉 a20026 镉及其化合物 a20043 铅 a20044 铅及其化合物 a20057 汞 "
        "a20058 汞及其化合物 a20063 镍及其化合物 a20091 锡及其化合物 a21001 氨 a21002 氮氧化物 a21003 一氧化氮 a21004 二氧化氮 "
        "a21005 一氧化碳 a21017 氰化物 a21018 氟化物 a21022 氯气 a21024 氯化氢 a21026 二氧化硫 a21028 硫化氢 a23001 酚类 a24003 二氯甲烷 "
        "a24004 三氯甲烷 a24036 环己烷 a24042 正己烷 a24053 丙烯 a24054 1,3-丁二烯 a24087 碳氢化合物 a24088 非甲烷总烃 a25002 苯 "
        "a25003 甲苯 a25004 乙苯 a25005 二甲苯 a25006 邻二甲苯 a25007 间二甲苯 a25008 对二甲苯 a25038 苯乙烯 a26001 苯胺类 a30001 甲醇 "
        "a31001 甲醛 a31002 乙醛 a34001 总悬浮颗粒物 a34013 烟尘 a34017 炭黑尘 a99051 油烟 a99054 总挥发性有机物 "
        "01 烟尘 02 二氧化硫 03 氮氧化物 04 一氧化碳 05 硫化氢 06 氟化物 07 氰化物 08 氯化氢 09 沥青烟 10 氨 11 氯气 12 二硫化碳 "
        "13 硫醇 14 硫酸雾 15 铬酸雾 16 苯系物 17 甲苯 18 二甲苯 19 甲醛 20 苯胺类 21 硝基苯类 22 氯苯类 23 光气 24 碳氢化合物 "
        "25 乙醛 26 酚类 27 甲醇 28 氯乙烯 29 二氧化碳 30 汞及其化合物 31 铅及其化合物 32 镉及其化合物 33 锡及其化合物 34 镍及其化合物 "
        "35 铍及其化合物"
    ),
    "ug/m3": "a34002 PM10 a34004 PM2.5 a34005 PM1.0",
    "dB": (
        "LA A声级 L5 L5 L10 L10 L50 L50 L90 L90 L95 L95 Leq 等效声级 Ldn 昼夜等效声级 Ld 昼间等效声级 Ln 夜间等效声级 Lmn 最小声级 "
        "Lmx 最大声级 n00001 A声级 n00002 L5 n00003 L10 n00004 L50 n00005 L90 n00006 L95 n00007 等效声级 n00008 昼夜等效声级 "
        "n00009 昼间等效声级 n00010 夜间等效声级 n00011 最大声级 n00012 最小声级"
    ),
}


def factor(code: str, zh: str, unit: str) -> Factor:
    """A factor measured in `unit`."""
    return Factor(code, zh, unit, *UNITS[unit])


def _factors() -> dict[str, Factor]:
    out = {}
    for unit, words in _GROUPS.items():
        row = words.split()
        for code, zh in zip(row[::2], row[1::2], strict=True):
            out[code] = factor(code, zh, unit)
    return out


FACTORS = _factors()
# an ambient air station (ST 22) sends its gases in micrograms, except carbon monoxide (GB 3095, HJ 654)
AMBIENT = {code: factor(code, f.zh, "ug/m3") for code, f in FACTORS.items() if f.unit == "mg/m3" and code[0] == "a" and code != "a21005"}
