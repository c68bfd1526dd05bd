"""Tables of the register: what is watched, by what, and within which limits."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Func, Value

from ..base.block import partition_of
from ..base.errors import AnlanError
from ..engines.records import Ledger, Record, label
from .people import Person

L = label
NO_SECRET = "!"  # a device that was never given a secret: no secret verifies against it
STATION_NUMBERS = "register_station_number"  # a database sequence, made in 0001_initial
SITE_KINDS = [
    ("slope", L("边坡", "Slope")),
    ("reservoir", L("水库", "Reservoir")),
    ("flood_point", L("易涝点", "Flood point")),
    ("enterprise", L("企业", "Enterprise")),
    ("high_rise", L("高层建筑", "High-rise")),
    ("park", L("公园", "Park")),
    ("road", L("道路", "Road")),
    ("rain_site", L("雨量点", "Rain site")),
    ("other", L("其他", "Other")),
]


class Site(Record):
    """A place that is watched: slope, reservoir, flood point, enterprise ... The partition key."""

    KIND = "site"
    NATURAL: ClassVar[tuple[str, ...]] = ("code",)
    code = models.TextField(unique=True, verbose_name=L("编码", "Code"))
    name = models.TextField(verbose_name=L("名称", "Name"))
    name_en = models.TextField(blank=True, default="", verbose_name=L("英文名", "English name"))
    kind = models.CharField(max_length=20, choices=SITE_KINDS, db_index=True, verbose_name=L("类别", "Kind"))
    lon = models.FloatField(verbose_name=L("经度", "Longitude"))
    lat = models.FloatField(verbose_name=L("纬度", "Latitude"))
    geometry = models.JSONField(null=True, blank=True)  # outline of the object
    warning_area = models.JSONField(null=True, blank=True)  # area to be warned, GeoJSON polygon
    partition = models.SmallIntegerField(editable=False, default=0, db_index=True)
    key_target = models.BooleanField(default=False, verbose_name=L("重点目标", "Key target"))
    attributes = models.JSONField(default=dict, blank=True)
    LEDGER = Ledger(
        "监测对象",
        "Sites",
        ("code", "name", "kind", "division_code", "lon", "lat"),
        ("kind",),
        ("code", "name"),
        ("code",),
        ("code", "name", "name_en", "kind", "lon", "lat", "division_code", "key_target"),
    )

    def prepare(self) -> None:
        """Fill what follows from the code: the id of a new site and the partition (also before a bulk write)."""
        from ..base.settings import get

        self.id = self.id or f"site-{self.code}"
        self.partition = partition_of(self.code, get("PARTITIONS"))

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store with the partition of its code."""
        self.prepare()
        super().save(*args, **kwargs)


class Station(Record):
    """A place where quantities are measured; its id is ``station-<code>``, its number the hot-path name."""

    KIND = "station"
    NATURAL: ClassVar[tuple[str, ...]] = ("code",)
    code = models.TextField(unique=True, verbose_name=L("编码", "Code"))
    number = models.IntegerField(unique=True, editable=False, db_default=Func(Value(STATION_NUMBERS), function="nextval"))  # int32
    name = models.TextField(verbose_name=L("名称", "Name"))
    name_en = models.TextField(blank=True, default="", verbose_name=L("英文名", "English name"))
    kind = models.CharField(
        max_length=24, db_index=True, verbose_name=L("类型", "Kind")
    )  # crack_meter, gnss, tilt_meter, rain_gauge, depth_gauge ...
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="stations", verbose_name=L("监测对象", "Site"))
    lon = models.FloatField(verbose_name=L("经度", "Longitude"))
    lat = models.FloatField(verbose_name=L("纬度", "Latitude"))
    interval_s = models.FloatField(default=300, verbose_name=L("报送间隔/秒", "Reporting interval, s"))
    enabled = models.BooleanField(default=True, verbose_name=L("启用", "Enabled"))
    live = models.BooleanField(default=False, db_index=True)  # has ever reported
    LEDGER = Ledger(
        "测点",
        "Stations",
        ("code", "name", "kind", "site", "division_code", "interval_s", "enabled"),
        ("kind", "enabled"),
        ("code", "name"),
        ("code",),
        ("code", "name", "name_en", "kind", "site", "lon", "lat", "interval_s", "enabled", "division_code"),
    )

    def prepare(self) -> None:
        """The id of a new station is ``station-<code>`` (also before a bulk write)."""
        self.id = self.id or f"station-{self.code}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store; the number comes from the database."""
        self.prepare()
        super().save(*args, **kwargs)


class Series(models.Model):
    """One quantity of one station: what detectors hold state for."""

    id = models.AutoField(primary_key=True)
    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="series")
    quantity = models.SmallIntegerField()  # base.quantity number
    low = models.FloatField(null=True, blank=True)  # plausible range, SI; null: the quantity's own
    high = models.FloatField(null=True, blank=True)
    noise = models.FloatField(null=True, blank=True)  # 1 sigma of a good reading, SI; null: estimated

    class Meta:
        constraints = [models.UniqueConstraint(fields=["station", "quantity"], name="series_once")]


class Threshold(Record):
    """A signed, versioned limit: levels per grade for a quantity of a station, a site, or a station kind.

    ``mode``: ``above``, ``below``, ``rate`` (SI per hour, over `window_s`) or ``sum`` (amount over
    `window_s`, e.g. rain). Levels in SI; null = that grade is not raised. A threshold falls
    back only `hysteresis` (share of the level) below it, and must hold for `persistence_s`
    and at least `persistence_n` readings. Only signed rows (`signed_by`) inside their
    validity are used; the narrowest scope wins (station, site, then kind).
    """

    KIND = "threshold"
    NATURAL: ClassVar[tuple[str, ...]] = ("quantity", "station", "site", "station_kind", "mode", "window_s", "version")
    quantity = models.TextField(verbose_name=L("监测量", "Quantity"))
    station = models.ForeignKey(Station, null=True, blank=True, on_delete=models.CASCADE, verbose_name=L("测点", "Station"))
    site = models.ForeignKey(Site, null=True, blank=True, on_delete=models.CASCADE, verbose_name=L("监测对象", "Site"))
    station_kind = models.CharField(max_length=24, blank=True, default="", verbose_name=L("测点类型", "Station kind"))
    mode = models.CharField(max_length=8, default="above", verbose_name=L("方式", "Mode"))
    window_s = models.FloatField(default=0, verbose_name=L("时窗/秒", "Window, s"))
    blue = models.FloatField(null=True, blank=True, verbose_name=L("蓝", "Blue"))
    yellow = models.FloatField(null=True, blank=True, verbose_name=L("黄", "Yellow"))
    orange = models.FloatField(null=True, blank=True, verbose_name=L("橙", "Orange"))
    red = models.FloatField(null=True, blank=True, verbose_name=L("红", "Red"))
    hysteresis = models.FloatField(default=0.05, verbose_name=L("回差", "Hysteresis"))
    persistence_s = models.FloatField(default=0, verbose_name=L("持续/秒", "Persistence, s"))
    persistence_n = models.IntegerField(default=1, verbose_name=L("持续次数", "Persistence, readings"))
    source = models.TextField(verbose_name=L("依据", "Source clause"))
    version = models.IntegerField(default=1, verbose_name=L("版本", "Version"))
    valid_from = models.DateTimeField(verbose_name=L("生效", "Valid from"))
    valid_to = models.DateTimeField(null=True, blank=True, verbose_name=L("失效", "Valid to"))
    signed_by = models.ForeignKey(Person, null=True, blank=True, on_delete=models.PROTECT, verbose_name=L("签发人", "Signed by"))
    LEDGER = Ledger(
        "阈值",
        "Thresholds",
        ("quantity", "station", "site", "station_kind", "mode", "window_s", "blue", "yellow", "orange", "red", "version", "signed_by"),
        ("quantity", "mode"),
        ("source",),
        ("quantity", "-version"),
        (
            "quantity",
            "station",
            "site",
            "station_kind",
            "mode",
            "window_s",
            "blue",
            "yellow",
            "orange",
            "red",
            "hysteresis",
            "persistence_s",
            "persistence_n",
            "source",
            "version",
            "valid_from",
            "valid_to",
        ),
        right="analyse",
        actions=("sign_threshold",),
    )
    FROZEN: ClassVar[tuple[str, ...]] = (*LEDGER.editable[:-1], "signed_by_id")

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any) -> Threshold:
        """A row as stored, remembering what was signed."""
        row = super().from_db(db, field_names, values)
        row._signed = {k: row.__dict__.get(k, row.__dict__.get(f"{k}_id")) for k in cls.FROZEN} if row.signed_by_id else None
        return row

    def prepare(self) -> None:
        """Refuse to change a signed threshold (``register.already_signed``): a draft of a new version is signed instead."""
        signed = getattr(self, "_signed", None)
        if signed and any(self.__dict__.get(k, self.__dict__.get(f"{k}_id")) != v for k, v in signed.items()):
            raise AnlanError(
                "register.already_signed",
                f"阈值 {self.id} 已签发，不能修改；请建立新版本草稿并签发，旧版本自动失效",
                f"threshold {self.id} is signed and cannot be changed; sign a draft of a new version, which closes this one",
            )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store; see `prepare`."""
        self.prepare()
        super().save(*args, **kwargs)


class Device(Record):
    """A physical unit with an address, a protocol and a credential; feeds stations or plays warnings.

    ``client_id`` is also the MQTT client identifier; ``secret_hash`` is ``scrypt$…`` (see
    `register.credentials`). A sensor publishes to ``up/<client_id>`` and hears ``down/<client_id>``.
    """

    KIND = "device"
    NATURAL: ClassVar[tuple[str, ...]] = ("client_id",)
    client_id = models.TextField(unique=True, verbose_name=L("设备号", "Client id"))
    username = models.TextField(blank=True, verbose_name=L("用户名", "User name"))
    secret_hash = models.TextField(editable=False, default=NO_SECRET)
    kind = models.CharField(
        max_length=20, default="sensor", db_index=True, verbose_name=L("类别", "Kind")
    )  # sensor, loudspeaker, siren, terminal
    protocol = models.CharField(max_length=20, default="mqtt", verbose_name=L("协议", "Protocol"))
    name = models.TextField(blank=True, default="", verbose_name=L("名称", "Name"))
    site = models.ForeignKey(
        Site, null=True, blank=True, on_delete=models.SET_NULL, related_name="devices", verbose_name=L("监测对象", "Site")
    )
    lon = models.FloatField(null=True, blank=True)
    lat = models.FloatField(null=True, blank=True)
    reach_m = models.FloatField(null=True, blank=True, verbose_name=L("覆盖半径/米", "Reach, m"))
    enabled = models.BooleanField(default=True, verbose_name=L("启用", "Enabled"))
    LEDGER = Ledger(
        "设备",
        "Devices",
        ("client_id", "name", "kind", "protocol", "site", "enabled", "division_code"),
        ("kind", "protocol", "enabled"),
        ("client_id", "name"),
        ("client_id",),
        ("client_id", "username", "name", "kind", "protocol", "site", "lon", "lat", "reach_m", "enabled", "division_code"),
        actions=("rotate_secret",),
    )

    def prepare(self) -> None:
        """The id of a new device is ``device-<client id>``; without a secret it cannot log in (also before a bulk write)."""
        self.id = self.id or f"device-{self.client_id}"
        self.username = self.username or self.client_id
        self.secret_hash = self.secret_hash or NO_SECRET

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store; see `prepare`."""
        self.prepare()
        super().save(*args, **kwargs)


class DeviceSeries(models.Model):
    """Which series a device's key feeds: ``key`` is the name in its payload (default: the quantity's name)."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="feeds")
    key = models.TextField()
    series = models.ForeignKey(Series, on_delete=models.CASCADE)
    unit = models.CharField(max_length=12, blank=True, default="")  # unit the device sends; empty: SI

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "key"], name="device_key_once")]
