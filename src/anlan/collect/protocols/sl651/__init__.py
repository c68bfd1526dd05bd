"""SL 651-2014 水文监测数据通信规约: rain gauges, river and reservoir stations, pumps, gates, soil moisture, water quality."""

from .codec import Sl651

__all__ = ["Sl651"]
