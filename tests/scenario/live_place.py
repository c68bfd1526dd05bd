"""A small place to warn about: one slope with sensors, people who answer, households, loudspeakers; made in the test's database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lazy import Lazy

from anlan.base.ids import derived_id

acting, emit = Lazy("anlan.engines.outbox", "acting"), Lazy("anlan.engines.outbox", "emit")
asker_of = Lazy("anlan.register.scope", "asker_of")
Finding, Forecast = Lazy("anlan.detect.models", "Finding"), Lazy("anlan.forecast.models", "Forecast")
StandingOrder = Lazy("anlan.issue.models", "StandingOrder")
Device, Grid, Household, Organisation, Person, Post, Responsibility, Site, Station = (
    Lazy("anlan.register.models", name)
    for name in ("Device", "Grid", "Household", "Organisation", "Person", "Post", "Responsibility", "Site", "Station")
)
CODE = "440303001001"
T0 = datetime(2026, 6, 14, 5, 36, tzinfo=UTC)
AREA = {"type": "Polygon", "coordinates": [[[114.15, 22.55], [114.16, 22.55], [114.16, 22.56], [114.15, 22.56], [114.15, 22.55]]]}


class LivePlace:
    """Hands for a scenario: raise findings, know the people."""

    def __init__(self, households: int = 4, silent: int = 1):
        with acting("system:test"):
            self._make(households, silent)
        self.commander, self.duty = asker_of(self.people["commander"]), asker_of(self.people["duty"])

    def _make(self, households: int, silent: int) -> None:
        office = Organisation.objects.create(name="示例区应急管理局", division_code="440303")
        self.people: dict[str, Any] = {}
        self.posts: dict[str, Any] = {}
        for key, role, code in (
            ("commander", "commander", "440303"), ("duty", "duty", "440303"),
            ("inspector", "responder", CODE), ("secretary", "responder", CODE), ("street", "responder", CODE[:9]),
        ):  # fmt: skip
            self.people[key] = Person.objects.create(name=key, email=f"{key}@example.org", division_code=code)
            self.posts[key] = Post.objects.create(
                name=f"{key} 岗", organisation=office, person=self.people[key], role=role, division_code=code
            )
        self.site = Site.objects.create(
            code="LH-1", name="示例公园 2 号边坡", name_en="Sample Park Slope 2", kind="slope", lon=114.155, lat=22.555, division_code=CODE,
            warning_area=AREA, key_target=True,
        )  # fmt: skip
        self.stations = [
            Station.objects.create(
                code=f"S{n}", number=900000 + n, name=f"裂缝计 C{n}", name_en=f"Crack meter C{n}", kind="crack_meter", site=self.site,
                lon=114.155, lat=22.555, division_code=CODE,
            )
            for n in (1, 2)
        ]  # fmt: skip
        self.grid = Grid.objects.create(name="3 栋网格", inspector=self.posts["inspector"], division_code=CODE)
        for n, (key, level, target) in enumerate(
            (("inspector", "site", self.site.id), ("secretary", "community", CODE), ("street", "street", CODE[:9]))
        ):
            Responsibility.objects.create(
                object_id=target, post=self.posts[key], level=level, order=n + 1, valid_from=T0 - timedelta(days=300), division_code=CODE
            )
        self.siren = Device.objects.create(
            client_id="siren-1", username="s", secret_hash="x", kind="siren", site=self.site, division_code=CODE, lon=114.155, lat=22.555
        )
        self.speaker = Device.objects.create(
            client_id="speaker-1", username="s", secret_hash="x", kind="loudspeaker", division_code=CODE, lon=114.152, lat=22.552
        )
        rows = [
            Household(
                id=derived_id("household", n), building=f"{n // 50 + 1} 栋", door=f"{n % 50 + 101}", head="住户",
                phone="" if n < silent else f"1380000{n:04d}", people=3, lon=114.155, lat=22.551 + (n % 90) * 1e-4, grid=self.grid,
                division_code=CODE, needs_help="老人" if n == 1 else "",
            )
            for n in range(households)
        ]  # fmt: skip
        rows.append(Household(id="household-far", building="远", door="1", phone="1", people=2, lon=114.2, lat=22.6, division_code=CODE))
        Household.objects.bulk_create(rows)
        self._links([h.id for h in rows if h.phone and h.id != "household-far"])

    def _links(self, homes: list[str]) -> None:
        """These households have their link: they opened their page at an earlier warning elsewhere."""
        from anlan.issue.models import HazardWarning
        from anlan.notify import ledger
        from anlan.notify.models import Notice

        old = HazardWarning.objects.create(
            id="warn-old", series="series-old", hazard="rain", grade=1, state="expired", title="旧", text="旧", issued_at=T0, expires_at=T0
        )
        notices = [
            Notice(id=derived_id("note", "old", h), warning=old, series="series-old", recipient=h, channel="none", state="unreachable")
            for h in homes
        ]
        Notice.objects.bulk_create(notices)
        ledger.append(old.id, [ledger.Fact(n.id, "device", T0, n.recipient) for n in notices], notify=False)
        Notice.objects.update(reached=2)

    def order(self, grade: int = 4, signed: bool = True) -> Any:
        with acting("system:test"):
            return StandingOrder.objects.create(
                title="红色即响", hazard="slope", grade=grade, site=self.site, actions=[{"action": "siren_on", "device_kind": "siren"}],
                signed_by=self.people["commander"] if signed else None, signed_at=T0, valid_from=T0 - timedelta(days=99),
            )  # fmt: skip

    def finding(self, grade: int, at: datetime, station: int = 0, hazard: str = "slope", detector: str = "slope", **facts: Any) -> Any:
        """Store a finding and its event, as a worker would."""
        s = self.stations[station]
        found = {"tangent_angle_deg": 86.0, "velocity_increment_m_per_h": 0.001, "velocity_m_per_h": 0.0135, "kind": 0, **facts}
        with acting("system:worker"):
            f = Finding.objects.create(
                id=derived_id("find", s.id, hazard, at.isoformat(), grade), station=s, site=self.site, quantity="crack_width",
                detector=detector, hazard=hazard, grade=grade, at=at, evidence=found, zh=f"{s.name} 加速。", en="Speeds up.",
                division_code=CODE, cause=["read-900001.2.1"],
            )  # fmt: skip
            payload = {"station": s.id, "site": self.site.id, "hazard": hazard, "grade": grade, "previous": 0, "detector": detector}
            emit("detect.finding.raised", f.id, payload, division_code=CODE, cause=f.cause)
        return f

    def forecast(self, made: datetime, width_h: float = 2.0) -> Any:
        with acting("system:worker"):
            o = Forecast.objects.create(
                id=derived_id("fcst", made.isoformat()), station=self.stations[0], site=self.site, forecaster="ensemble", made_at=made,
                p10=made + timedelta(hours=1), p50=made + timedelta(hours=2), p90=made + timedelta(hours=1 + width_h), zh="窗", en="window",
            )  # fmt: skip
            emit("forecast.forecast.made", o.id, {"station": self.stations[0].id, "site": self.site.id}, cause=[])
        return o
