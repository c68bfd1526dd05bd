"""What is measured: one name, one SI unit, one plausible range, one wording each.

Numbers are stable for ever (they are stored with every reading) and below 63 (a station's quantities
are kept as bits). Units are UCUM codes.
Ranges are physical plausibility limits for the QC range check, not warning thresholds;
a station may narrow them. `to_si` converts the units that devices really send.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import FieldError


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured quantity: number, name, SI unit (UCUM), range, words, kind of series.

    `kind` is ``level`` (a state sampled in time), ``increment`` (amount since the last
    report, e.g. rain) or ``flag`` (0 or 1).
    """

    number: int
    name: str
    unit: str
    low: float
    high: float
    zh: str
    en: str
    kind: str = "level"
    shown_unit: str = ""
    shown_factor: float = 1.0


QUANTITIES: tuple[Quantity, ...] = (
    Quantity(1, "displacement", "m", -100, 100, "位移", "Displacement", shown_unit="mm", shown_factor=1e3),
    Quantity(2, "crack_width", "m", -1, 20, "裂缝宽度", "Crack width", shown_unit="mm", shown_factor=1e3),
    Quantity(3, "tilt", "rad", -3.2, 3.2, "倾角", "Tilt", shown_unit="°", shown_factor=57.29577951308232),
    Quantity(4, "rainfall", "m", 0, 0.5, "雨量", "Rainfall", "increment", "mm", 1e3),
    Quantity(5, "water_level", "m", -500, 9000, "水位", "Water level"),
    Quantity(6, "water_depth", "m", -0.5, 50, "积水深", "Water depth", shown_unit="cm", shown_factor=1e2),
    Quantity(7, "soil_moisture", "1", 0, 1, "土壤含水率", "Soil moisture", shown_unit="%", shown_factor=1e2),
    Quantity(8, "pore_pressure", "Pa", -1e5, 1e7, "孔隙水压力", "Pore pressure", shown_unit="kPa", shown_factor=1e-3),
    Quantity(9, "acceleration", "m/s2", -200, 200, "加速度", "Acceleration"),
    Quantity(10, "gas_concentration", "1", 0, 1, "气体浓度", "Gas concentration", shown_unit="ppm", shown_factor=1e6),
    Quantity(11, "temperature", "K", 173.15, 1773.15, "温度", "Temperature"),
    Quantity(12, "relative_humidity", "1", 0, 1.05, "相对湿度", "Relative humidity", shown_unit="%", shown_factor=1e2),
    Quantity(13, "pressure", "Pa", 0, 1e9, "压力", "Pressure", shown_unit="kPa", shown_factor=1e-3),
    Quantity(14, "wind_speed", "m/s", 0, 120, "风速", "Wind speed"),
    Quantity(15, "residual_current", "A", 0, 100, "剩余电流", "Residual current", shown_unit="mA", shown_factor=1e3),
    Quantity(16, "smoke_obscuration", "1/m", 0, 20, "烟雾减光系数", "Smoke obscuration"),
    Quantity(17, "alarm_state", "1", 0, 255, "报警状态", "Alarm state", "flag"),
    Quantity(18, "flow_rate", "m3/s", -1e5, 1e6, "流量", "Flow rate"),
    Quantity(19, "battery_voltage", "V", 0, 1000, "电池电压", "Battery voltage"),
    Quantity(20, "current", "A", -1e4, 1e4, "电流", "Current"),
    Quantity(21, "voltage", "V", 0, 1e6, "电压", "Voltage"),
    Quantity(22, "latitude", "deg", -90, 90, "纬度", "Latitude", shown_unit="°"),
    Quantity(23, "longitude", "deg", -180, 180, "经度", "Longitude", shown_unit="°"),
    Quantity(24, "altitude", "m", -500, 9000, "高程", "Altitude"),
    Quantity(25, "vehicle_speed", "m/s", 0, 100, "车速", "Vehicle speed", shown_unit="km/h", shown_factor=3.6),
    Quantity(26, "heading", "rad", 0, 6.3, "航向", "Heading", shown_unit="°", shown_factor=57.29577951308232),
    Quantity(27, "mileage", "m", 0, 1e12, "里程", "Mileage", shown_unit="km", shown_factor=1e-3),
    Quantity(28, "fuel_volume", "m3", 0, 10, "油量", "Fuel", shown_unit="L", shown_factor=1e3),
    Quantity(29, "signal_strength", "1", 0, 255, "信号强度", "Signal strength"),
    Quantity(30, "satellites", "1", 0, 255, "定位卫星数", "Satellites"),
    Quantity(31, "switch_state", "1", 0, 1, "开关状态", "Switch state", "flag"),
    Quantity(32, "event_count", "1", 0, 65535, "事件计数", "Event count"),
    Quantity(33, "height", "m", 0, 1000, "高度", "Height"),
    Quantity(34, "explosive_fraction", "1", 0, 2, "爆炸下限百分比", "Part of the lower explosive limit", shown_unit="%", shown_factor=1e2),
    Quantity(40, "mass_concentration", "kg/m3", 0, 2000, "质量浓度", "Mass concentration", shown_unit="mg/L", shown_factor=1e3),
    Quantity(41, "airborne_concentration", "kg/m3", -1e-3, 10, "空气中浓度", "Airborne mass", shown_unit="mg/m³", shown_factor=1e6),
    Quantity(42, "ph", "1", 0, 14, "pH 值", "pH"),
    Quantity(43, "conductivity", "S/m", 0, 100, "电导率", "Conductivity", shown_unit="µS/cm", shown_factor=1e4),
    Quantity(44, "turbidity", "1", 0, 1e5, "浊度", "Turbidity", shown_unit="NTU"),
    Quantity(45, "redox_potential", "V", -5, 5, "氧化还原电位", "Redox potential", shown_unit="mV", shown_factor=1e3),
    Quantity(46, "flow_velocity", "m/s", -50, 100, "流速", "Flow velocity"),
    Quantity(47, "volume", "m3", -1e12, 1e12, "水量（体积）", "Volume"),
    Quantity(48, "evaporation", "m", 0, 0.2, "蒸发量", "Evaporation", shown_unit="mm", shown_factor=1e3),
    Quantity(49, "groundwater_depth", "m", -10, 1000, "地下水埋深", "Depth to groundwater"),
    Quantity(50, "sound_level", "dB", 0, 200, "声级", "Sound level"),
    Quantity(51, "gate_opening", "m", 0, 1000, "闸门开度", "Gate opening"),
    Quantity(52, "rainfall_total", "m", 0, 100, "累计雨量", "Accumulated rainfall", shown_unit="mm", shown_factor=1e3),
    Quantity(53, "force", "N", -1e12, 1e12, "力", "Force", shown_unit="kN", shown_factor=1e-3),
    Quantity(54, "rainfall_sum", "m", 0, 3, "时段雨量", "Rainfall of a period", shown_unit="mm", shown_factor=1e3),
    Quantity(55, "relative_level", "m", -10, 700, "相对水位", "Level above the station's base"),
    Quantity(56, "wind_direction", "rad", 0, 6.3, "风向", "Wind direction", shown_unit="°", shown_factor=57.29577951308232),
    Quantity(57, "battery_charge", "1", 0, 1.01, "剩余电量", "Battery charge", shown_unit="%", shown_factor=1e2),
    Quantity(58, "mass", "kg", 0, 1e15, "质量", "Mass"),
    Quantity(59, "area", "m2", 0, 1e12, "面积", "Area"),
    Quantity(60, "count", "1", 0, 1e12, "计数", "Count"),
    Quantity(61, "duration", "s", 0, 1e12, "时长", "Duration"),
    Quantity(62, "status_word", "1", 0, 4294967295, "状态字", "Status word"),
)
BY_NAME = {q.name: q for q in QUANTITIES}
BY_NUMBER = {q.number: q for q in QUANTITIES}

_SCALE: dict[str, dict[str, tuple[float, float]]] = {
    "m": {"m": (1, 0), "mm": (1e-3, 0), "cm": (1e-2, 0), "km": (1e3, 0)},
    "rad": {"rad": (1, 0), "deg": (0.017453292519943295, 0), "°": (0.017453292519943295, 0)},
    "1": {"1": (1, 0), "%": (1e-2, 0), "ppm": (1e-6, 0), "[ppm]": (1e-6, 0)},
    "Pa": {"Pa": (1, 0), "kPa": (1e3, 0), "MPa": (1e6, 0), "hPa": (1e2, 0), "bar": (1e5, 0)},
    "K": {"K": (1, 0), "Cel": (1, 273.15), "°C": (1, 273.15)},
    "A": {"A": (1, 0), "mA": (1e-3, 0)},
    "V": {"V": (1, 0), "mV": (1e-3, 0)},
    "m/s": {"m/s": (1, 0), "km/h": (1 / 3.6, 0)},
    "m/s2": {"m/s2": (1, 0), "g": (9.80665, 0), "mg": (9.80665e-3, 0)},
    "m3/s": {"m3/s": (1, 0), "L/s": (1e-3, 0), "m3/min": (1 / 60, 0), "m3/h": (1 / 3600, 0)},
    "kg/m3": {
        "kg/m3": (1, 0),
        "g/L": (1, 0),
        "mg/L": (1e-3, 0),
        "ug/L": (1e-6, 0),
        "g/m3": (1e-3, 0),
        "mg/m3": (1e-6, 0),
        "ug/m3": (1e-9, 0),
    },
    "S/m": {"S/m": (1, 0), "uS/cm": (1e-4, 0), "mS/cm": (0.1, 0)},
    "m3": {"m3": (1, 0), "L": (1e-3, 0)},
    "kg": {"kg": (1, 0), "g": (1e-3, 0), "t": (1e3, 0)},
    "m2": {"m2": (1, 0)},
    "s": {"s": (1, 0), "ms": (1e-3, 0), "min": (60, 0), "h": (3600, 0), "d": (86400, 0)},
    "dB": {"dB": (1, 0)},
    "N": {"N": (1, 0), "kN": (1e3, 0)},
    "deg": {"deg": (1, 0), "°": (1, 0)},
    "1/m": {"1/m": (1, 0), "dB/m": (0.2302585092994046, 0)},
}


def quantity(name: str) -> Quantity:
    """The quantity of this name; FieldError lists what there is otherwise."""
    try:
        return BY_NAME[name]
    except KeyError:
        raise FieldError(
            "quantity",
            name,
            f"未登记的监测量；可用：{'、'.join(BY_NAME)}",
            f"unknown quantity; known: {', '.join(BY_NAME)}",
            code="base.unknown_quantity",
        ) from None


def scale(unit: str, of: Quantity) -> tuple[float, float]:
    """Factor and offset that turn a value in `unit` into SI; FieldError when the unit does not fit."""
    try:
        return _SCALE[of.unit][unit]
    except KeyError:
        known = ", ".join(_SCALE.get(of.unit, {of.unit: None}))
        raise FieldError(
            "unit", unit, f"{of.zh} 的单位应为 {known}", f"unit of {of.name} must be one of {known}", code="base.wrong_unit"
        ) from None


def to_si(value: float, unit: str, of: Quantity) -> float:
    """`value` in `unit` as SI of the quantity; FieldError when the unit does not fit it."""
    factor, offset = scale(unit, of)
    return value * factor + offset
