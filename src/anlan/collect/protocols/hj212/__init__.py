"""HJ 212 污染物在线监控数据传输标准: water, air, gas, noise and dust monitors (2017, 2005; of 2025 what is known)."""

from .codec import Hj212

__all__ = ["Hj212"]
