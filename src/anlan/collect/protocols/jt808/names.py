"""Names of the bits and codes of JT/T 808-2011/2013/2019, JT/T 1078-2016 and the active-safety items (T/JSATL 12-2017)."""

from __future__ import annotations

# 808 table 24 (2013) / table 25 (2019): alarm word
ALARMS = {
    0: "sos",
    1: "overspeed",
    2: "fatigue",
    3: "danger_warning",
    4: "gnss_fault",
    5: "gnss_antenna_open",
    6: "gnss_antenna_short",
    7: "main_power_low",
    8: "main_power_lost",
    9: "display_fault",
    10: "tts_fault",
    11: "camera_fault",
    12: "ic_card_fault",
    13: "overspeed_warning",
    14: "fatigue_warning",
    15: "driving_violation",
    16: "tyre_pressure_warning",
    17: "right_blind_spot",
    18: "day_driving_time",
    19: "parking_time",
    20: "area",
    21: "route",
    22: "section_time",
    23: "off_route",
    24: "vss_fault",
    25: "fuel_abnormal",
    26: "stolen",
    27: "illegal_ignition",
    28: "illegal_move",
    29: "collision_rollover",
    30: "rollover_warning",
    31: "illegal_door",
}
# 808 table 25 (2013) / table 26 (2019): status word; bits 8 and 9 together are the load
STATES = {
    0: "acc_on",
    1: "positioned",
    2: "south",
    3: "west",
    4: "out_of_service",
    5: "coordinates_encrypted",
    6: "forward_collision_braking",
    7: "lane_departure",
    10: "fuel_cut",
    11: "power_cut",
    12: "doors_locked",
    13: "door_front_open",
    14: "door_middle_open",
    15: "door_rear_open",
    16: "door_driver_open",
    17: "door_5_open",
    18: "gps",
    19: "beidou",
    20: "glonass",
    21: "galileo",
    22: "moving",
}
LOADS = {0: "empty", 1: "half", 2: "reserved", 3: "full"}
SIGNALS = {
    0: "low_beam",
    1: "high_beam",
    2: "right_turn",
    3: "left_turn",
    4: "brake",
    5: "reverse",
    6: "fog_lamp",
    7: "clearance_lamp",
    8: "horn",
    9: "air_conditioner",
    10: "neutral",
    11: "retarder",
    12: "abs",
    13: "heater",
    14: "clutch",
}
IO = {0: "deep_sleep", 1: "sleep"}
VIDEO_ALARMS = {
    0: "video_lost",
    1: "video_covered",
    2: "storage_fault",
    3: "other_video_fault",
    4: "overcrowded",
    5: "abnormal_driving",
    6: "special_record_full",
}
CHANNELS = {i: f"channel_{i + 1}" for i in range(32)}
STORES = {**{i: f"main_{i + 1}" for i in range(12)}, **{i: f"backup_{i - 11}" for i in range(12, 16)}}
BEHAVIOURS = {0: "fatigue", 1: "phone", 2: "smoking"}
AREA_KINDS = {0: "none", 1: "circle", 2: "rectangle", 3: "polygon", 4: "route_section"}
WAYS = {0: "in", 1: "out"}
SECTION_RESULTS = {0: "too_short", 1: "too_long"}
VEHICLE_STATES = {0: "acc_on", 1: "left_turn", 2: "right_turn", 3: "wipers", 4: "brake", 5: "card_in", 10: "positioned"}
EVENT_FLAGS = {0: "unavailable", 1: "start", 2: "end"}
ADAS = {
    1: "forward_collision",
    2: "lane_departure",
    3: "headway",
    4: "pedestrian_collision",
    5: "frequent_lane_change",
    6: "road_sign_overrun",
    7: "obstacle",
    16: "road_sign_event",
    17: "snapshot_event",
}
DSM = {
    1: "fatigue_driving",
    2: "phone",
    3: "smoking",
    4: "distracted",
    5: "driver_abnormal",
    16: "auto_snapshot",
    17: "driver_changed",
}
BLIND_SPOTS = {1: "rear_approach", 2: "left_rear_approach", 3: "right_rear_approach"}
TYRE_ALARMS = {
    0: "pressure_report",
    1: "pressure_high",
    2: "pressure_low",
    3: "temperature_high",
    4: "sensor_fault",
    5: "pressure_unbalanced",
    6: "slow_leak",
    7: "battery_low",
}
DEPARTURES = {1: "left", 2: "right"}
SIGNS = {1: "speed_limit", 2: "height_limit", 3: "weight_limit"}
ANSWERS = {0: "ok", 1: "failed", 2: "wrong_message", 3: "unsupported", 4: "alarm_confirmed"}
REGISTERED = {0: "ok", 1: "vehicle_registered", 2: "no_such_vehicle", 3: "terminal_registered", 4: "no_such_terminal"}
COLOURS = {0: "none", 1: "blue", 2: "yellow", 3: "black", 4: "white", 5: "green", 9: "other"}
MEDIA = {0: "image", 1: "audio", 2: "video"}
FORMATS = {0: "jpeg", 1: "tif", 2: "mp3", 3: "wav", 4: "wmv"}
MEDIA_EVENTS = {
    0: "platform_order",
    1: "timer",
    2: "robbery",
    3: "collision_rollover",
    4: "door_open",
    5: "door_close",
    6: "door_closed_at_20_kmh",
    7: "distance",
}
PASSED = {0x00: "gnss_module", 0x0B: "ic_card", 0x41: "serial_1", 0x42: "serial_2"}
CARD_STATES = {1: "inserted", 2: "pulled"}
CARD_RESULTS = {0: "ok", 1: "wrong_password", 2: "locked", 3: "pulled", 4: "check_failed"}
UPGRADES = {0: "terminal", 12: "ic_card_reader", 52: "gnss_module"}
UPGRADE_RESULTS = {0: "ok", 1: "failed", 2: "cancelled"}
TERMINAL_KINDS = {0: "passenger", 1: "dangerous_goods", 2: "freight", 3: "taxi", 6: "disk_video", 7: "separate"}
GNSS = {0: "gps", 1: "beidou", 2: "glonass", 3: "galileo"}
NETS = {0: "gprs", 1: "cdma", 2: "td_scdma", 3: "wcdma", 4: "cdma2000", 5: "td_lte", 7: "other"}
CONTROLS = {
    1: "upgrade",
    2: "connect_server",
    3: "shut_down",
    4: "reset",
    5: "factory_reset",
    6: "close_data_link",
    7: "close_all_radio",
}
TEXT_FLAGS = {0: "urgent", 2: "display", 3: "speak", 4: "advertising_screen", 5: "can_fault"}
TEXT_KINDS = {1: "notice", 2: "service"}
UPDATES = {0: "update", 1: "append", 2: "modify"}
AREA_FLAGS = {
    0: "timed",
    1: "speed_limited",
    2: "in_alarm_driver",
    3: "in_alarm_platform",
    4: "out_alarm_driver",
    5: "out_alarm_platform",
    6: "south",
    7: "west",
    8: "doors_locked",
    14: "comms_off_inside",
    15: "gnss_detail_inside",
}
ROUTE_FLAGS = {0: "timed", 2: "in_alarm_driver", 3: "in_alarm_platform", 4: "out_alarm_driver", 5: "out_alarm_platform"}
SECTION_FLAGS = {0: "timed", 1: "speed_limited", 2: "south", 3: "west"}
CHECKS = {0: "normal", 1: "blind_area"}
