"""The register's tables."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ..base.block import partition_of
from ..engines.records import Ledger, Record, label

L = label
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


class Division(models.Model):
    """An administrative division; the code's prefix is its parent."""

    code = models.CharField(max_length=12, primary_key=True, verbose_name=L("区划代码", "Code"))
    name = models.TextField(verbose_name=L("名称", "Name"))
    name_en = models.TextField(blank=True, default="", verbose_name=L("英文名", "English name"))
    level = models.CharField(max_length=10, verbose_name=L("级别", "Level"))
    lon = models.FloatField(null=True, blank=True)
    lat = models.FloatField(null=True, blank=True)
    geometry = models.JSONField(null=True, blank=True)  # GeoJSON geometry, WGS-84
    schematic = models.BooleanField(default=True, verbose_name=L("示意边界", "Schematic outline"))
    LEDGER = Ledger("行政区划", "Divisions", ("code", "name", "level"), ("level",), ("code", "name"), ("code",))

    def __str__(self) -> str:
        return self.name


class Organisation(Record):
    """A bureau, street office, community committee, company or team's home."""

    KIND = "org"
    name = models.TextField(verbose_name=L("名称", "Name"))
    kind = models.CharField(max_length=20, default="department", verbose_name=L("类别", "Kind"))
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, verbose_name=L("上级", "Parent"))
    LEDGER = Ledger(
        "组织机构", "Organisations", ("name", "kind", "division_code"), ("kind",), ("name",), ("name",), ("name", "kind", "division_code")
    )


class Person(Record):
    """A person with ways to reach them; `substitute` answers while they are on leave."""

    KIND = "person"
    name = models.TextField(verbose_name=L("姓名", "Name"))
    phone = models.TextField(blank=True, default="", verbose_name=L("电话", "Phone"))
    email = models.TextField(blank=True, default="", verbose_name=L("邮箱", "E-mail"))
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, verbose_name=L("账号", "Account")
    )
    on_leave = models.BooleanField(default=False, verbose_name=L("休假", "On leave"))
    substitute = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, verbose_name=L("代班", "Substitute"))
    lon = models.FloatField(null=True, blank=True)
    lat = models.FloatField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True, verbose_name=L("位置时间", "Position time"))
    LEDGER = Ledger(
        "人员",
        "People",
        ("name", "phone", "email", "on_leave", "division_code"),
        ("on_leave",),
        ("name", "phone"),
        ("name",),
        ("name", "phone", "email", "on_leave", "division_code"),
    )


class Post(Record):
    """A post in an organisation; responsibility hangs on posts, people come and go."""

    KIND = "post"
    name = models.TextField(verbose_name=L("岗位", "Post"))
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, verbose_name=L("单位", "Organisation"))
    person = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.SET_NULL, related_name="posts", verbose_name=L("任职者", "Holder")
    )
    role = models.CharField(max_length=20, default="responder", verbose_name=L("角色", "Role"))  # see roles.py
    LEDGER = Ledger(
        "岗位",
        "Posts",
        ("name", "organisation", "person", "role", "division_code"),
        ("role",),
        ("name",),
        ("name",),
        ("name", "organisation", "person", "role", "division_code"),
    )


class Grid(Record):
    """A grid: an area inside a community with a named inspector."""

    KIND = "grid"
    name = models.TextField(verbose_name=L("网格", "Grid"))
    geometry = models.JSONField(null=True, blank=True)
    inspector = models.ForeignKey(Post, null=True, blank=True, on_delete=models.SET_NULL, verbose_name=L("网格员", "Inspector"))
    LEDGER = Ledger(
        "网格", "Grids", ("name", "inspector", "division_code"), (), ("name",), ("name",), ("name", "inspector", "division_code")
    )


class Site(Record):
    """A place that is watched: slope, reservoir, flood point, enterprise ... The partition key."""

    KIND = "site"
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

    def save(self, *args: object, **kwargs: object) -> None:
        """Store with the partition of its code."""
        from ..base.settings import get

        self.partition = partition_of(self.code, get("PARTITIONS"))
        super().save(*args, **kwargs)


class Station(Record):
    """A place where quantities are measured; its id is ``station-<code>``, its number the hot-path name."""

    KIND = "station"
    code = models.TextField(unique=True, verbose_name=L("编码", "Code"))
    number = models.IntegerField(unique=True, editable=False)  # int32, from sequence register_station_number
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
        right="analyse",
        actions=("sign_threshold",),
    )


class Device(Record):
    """A physical unit with an address, a protocol and a credential; feeds stations or plays warnings.

    ``client_id`` is also the MQTT client identifier; ``secret_hash`` is ``scrypt$…`` (see
    `register.credentials`). A sensor publishes to ``up/<client_id>`` and hears ``down/<client_id>``.
    """

    KIND = "device"
    client_id = models.TextField(unique=True, verbose_name=L("设备号", "Client id"))
    username = models.TextField(verbose_name=L("用户名", "User name"))
    secret_hash = models.TextField(editable=False)
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


class DeviceSeries(models.Model):
    """Which series a device's key feeds: ``key`` is the name in its payload (default: the quantity's name)."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="feeds")
    key = models.TextField()
    series = models.ForeignKey(Series, on_delete=models.CASCADE)
    unit = models.CharField(max_length=12, blank=True, default="")  # unit the device sends; empty: SI

    class Meta:
        constraints = [models.UniqueConstraint(fields=["device", "key"], name="device_key_once")]


class Household(Record):
    """A household that must be reached; no contact at all is a fact that is shown."""

    KIND = "household"
    building = models.TextField(verbose_name=L("楼栋", "Building"))
    door = models.TextField(verbose_name=L("门牌", "Door"))
    head = models.TextField(blank=True, default="", verbose_name=L("户主", "Head"))
    phone = models.TextField(blank=True, default="", verbose_name=L("电话", "Phone"))
    people = models.IntegerField(default=1, verbose_name=L("人数", "People"))
    needs_help = models.TextField(blank=True, default="", verbose_name=L("需帮扶", "Needs help"))
    grid = models.ForeignKey(Grid, null=True, blank=True, on_delete=models.SET_NULL, verbose_name=L("网格", "Grid"))
    lon = models.FloatField()
    lat = models.FloatField()
    LEDGER = Ledger(
        "住户",
        "Households",
        ("building", "door", "head", "people", "phone", "needs_help", "division_code"),
        ("building",),
        ("building", "door", "head"),
        ("building", "door"),
        ("building", "door", "head", "phone", "people", "needs_help", "grid", "lon", "lat", "division_code"),
    )


class Team(Record):
    """A rescue team with its strength and where it is now."""

    KIND = "team"
    name = models.TextField(verbose_name=L("队伍", "Team"))
    kind = models.CharField(max_length=20, verbose_name=L("类别", "Kind"))
    leader = models.ForeignKey(Post, null=True, blank=True, on_delete=models.SET_NULL, verbose_name=L("队长", "Leader"))
    members = models.IntegerField(default=0, verbose_name=L("人数", "Members"))
    state = models.CharField(max_length=12, default="ready", verbose_name=L("状态", "State"))
    lon = models.FloatField()
    lat = models.FloatField()
    seen_at = models.DateTimeField(null=True, blank=True)
    LEDGER = Ledger(
        "救援队伍",
        "Teams",
        ("name", "kind", "members", "state", "division_code"),
        ("kind", "state"),
        ("name",),
        ("name",),
        ("name", "kind", "leader", "members", "lon", "lat", "division_code"),
    )


class Shelter(Record):
    """A place of refuge with its capacity and who is in it now."""

    KIND = "shelter"
    name = models.TextField(verbose_name=L("避灾点", "Shelter"))
    capacity = models.IntegerField(verbose_name=L("容量", "Capacity"))
    occupancy = models.IntegerField(default=0, verbose_name=L("在点", "Occupancy"))
    lon = models.FloatField()
    lat = models.FloatField()
    LEDGER = Ledger(
        "避灾安置点",
        "Shelters",
        ("name", "capacity", "occupancy", "division_code"),
        (),
        ("name",),
        ("name",),
        ("name", "capacity", "occupancy", "lon", "lat", "division_code"),
    )


class Depot(Record):
    """A store of material."""

    KIND = "depot"
    name = models.TextField(verbose_name=L("物资库", "Depot"))
    stock = models.JSONField(default=dict, blank=True, verbose_name=L("库存", "Stock"))
    lon = models.FloatField()
    lat = models.FloatField()
    LEDGER = Ledger(
        "应急物资", "Depots", ("name", "stock", "division_code"), (), ("name",), ("name",), ("name", "lon", "lat", "division_code")
    )


class Responsibility(Record):
    """Who answers for an object: a post at a level, in calling order, from when to when.

    ``object_id`` is the id of a site, grid, station, or a division code for an area.
    ``level``: ``site``, ``community``, ``street``, ``district``; `order` is the order of calling.
    """

    KIND = "resp"
    object_id = models.TextField(db_index=True, verbose_name=L("对象", "Object"))
    post = models.ForeignKey(Post, on_delete=models.CASCADE, verbose_name=L("责任岗位", "Post"))
    level = models.CharField(max_length=12, verbose_name=L("层级", "Level"))
    order = models.IntegerField(default=1, verbose_name=L("呼叫顺序", "Order"))
    valid_from = models.DateTimeField(verbose_name=L("生效", "Valid from"))
    valid_to = models.DateTimeField(null=True, blank=True, verbose_name=L("失效", "Valid to"))
    LEDGER = Ledger(
        "责任",
        "Responsibilities",
        ("object_id", "post", "level", "order", "valid_from", "valid_to"),
        ("level",),
        ("object_id",),
        ("object_id", "order"),
        ("object_id", "post", "level", "order", "valid_from", "valid_to"),
    )


class DeskNote(models.Model):
    """A key/value of this installation kept in the database (first log-ins shown, demo seed, schema facts)."""

    key = models.TextField(primary_key=True)
    value = models.JSONField(default=dict)
