"""Tables of the register: divisions, organisations, people, posts, households and who answers for what."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from ..engines.records import Ledger, Record, label

L = label


class Division(models.Model):
    """An administrative division; the code's prefix is its parent."""

    AUDIT: ClassVar[str] = "ledger"
    NATURAL: ClassVar[tuple[str, ...]] = ("code",)
    code = models.CharField(max_length=12, primary_key=True, verbose_name=L("区划代码", "Code"))
    name = models.TextField(verbose_name=L("名称", "Name"))
    name_en = models.TextField(blank=True, default="", verbose_name=L("英文名", "English name"))
    level = models.CharField(max_length=10, verbose_name=L("级别", "Level"))
    lon = models.FloatField(null=True, blank=True)
    lat = models.FloatField(null=True, blank=True)
    geometry = models.JSONField(null=True, blank=True)  # GeoJSON geometry, WGS-84
    schematic = models.BooleanField(default=True, verbose_name=L("示意边界", "Schematic outline"))
    LEDGER = Ledger(
        "行政区划", "Divisions", ("code", "name", "level"), ("level",), ("code", "name"), ("code",), ("code", "name", "name_en")
    )

    def __str__(self) -> str:
        return self.name


class Organisation(Record):
    """A bureau, street office, community committee, company or team's home."""

    KIND = "org"
    NATURAL: ClassVar[tuple[str, ...]] = ("name", "division_code")
    name = models.TextField(verbose_name=L("名称", "Name"))
    kind = models.CharField(max_length=20, default="department", verbose_name=L("类别", "Kind"))
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, verbose_name=L("上级", "Parent"))
    LEDGER = Ledger(
        "组织机构", "Organisations", ("name", "kind", "division_code"), ("kind",), ("name",), ("name",), ("name", "kind", "division_code")
    )


class Person(Record):
    """A person with ways to reach them; `substitute` answers while they are on leave.

    ``code`` is the bureau's own number of the person: it tells apart two who share name and telephone.
    """

    KIND = "person"
    NATURAL: ClassVar[tuple[str, ...]] = ("name", "phone", "code")
    name = models.TextField(verbose_name=L("姓名", "Name"))
    code = models.TextField(blank=True, default="", db_default="", verbose_name=L("人员编号", "Person's number"))
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
        ("name", "code", "phone", "email", "on_leave", "division_code"),
        ("on_leave",),
        ("name", "phone", "code"),
        ("name",),
        ("name", "phone", "code", "email", "on_leave", "division_code"),
    )


class Post(Record):
    """A post in an organisation; responsibility hangs on posts, people come and go."""

    KIND = "post"
    NATURAL: ClassVar[tuple[str, ...]] = ("name", "organisation")
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


class Tenure(models.Model):
    """Who held a post from when to when; written by a database trigger whenever the holder changes.

    `from_at` null: held it when the register began; `to_at` null: holds it still.
    """

    id = models.BigAutoField(primary_key=True)
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="tenures")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="tenures")
    from_at = models.DateTimeField(null=True)
    to_at = models.DateTimeField(null=True)


class Leave(models.Model):
    """When a person was on leave and who stood in; written by a database trigger."""

    id = models.BigAutoField(primary_key=True)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="leaves")
    substitute = models.ForeignKey(Person, null=True, on_delete=models.SET_NULL, related_name="+")
    from_at = models.DateTimeField(null=True)
    to_at = models.DateTimeField(null=True)


class Grid(Record):
    """A grid: an area inside a community with a named inspector."""

    KIND = "grid"
    NATURAL: ClassVar[tuple[str, ...]] = ("name", "division_code")
    name = models.TextField(verbose_name=L("网格", "Grid"))
    geometry = models.JSONField(null=True, blank=True)
    inspector = models.ForeignKey(Post, null=True, blank=True, on_delete=models.SET_NULL, verbose_name=L("网格员", "Inspector"))
    LEDGER = Ledger(
        "网格", "Grids", ("name", "inspector", "division_code"), (), ("name",), ("name",), ("name", "inspector", "division_code")
    )


class Household(Record):
    """A household that must be reached; no contact at all is a fact that is shown."""

    KIND = "household"
    NATURAL: ClassVar[tuple[str, ...]] = ("building", "door", "division_code")
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


class Responsibility(Record):
    """Who answers for an object: a post at a level, in calling order, from when to when.

    ``object_id`` is the id of a site, grid, station, or a division code for an area.
    ``level``: ``site``, ``community``, ``street``, ``district``; `order` is the order of calling.
    """

    KIND = "resp"
    NATURAL: ClassVar[tuple[str, ...]] = ("object_id", "post", "level")
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
