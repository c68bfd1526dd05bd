"""Geo-hazard universal monitors 地质灾害普适型监测设备: JSON on ``$dp``, a binary envelope, ``$cmd=`` commands."""

from .codec import Geohazard

__all__ = ["Geohazard"]
