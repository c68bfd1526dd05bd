"""A small world: a slope with a person on each level, and a hand that issues and lifts warnings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 6, 14, 6, 0, tzinfo=UTC)
AREA = "440303008001"
BY = "system:test"


def minute(n: float) -> datetime:
    return START + timedelta(minutes=n)


class World:
    """Everything a test needs of the rooms below."""

    def __init__(self):
        from anlan.engines.outbox import acting
        from anlan.register import service as s
        from anlan.register.models import Organisation, Site

        with acting(BY):
            self.home = Organisation(name="区应急局", division_code="440303")
            self.home.save()
            self.site = Site(code="S1", name="仙桐 2 号边坡", kind="slope", lon=114.1, lat=22.5, division_code=AREA)
            self.site.save()
        self.posts, self.people = {}, {}
        for level, area in (("district", "440303"), ("street", "440303008"), ("community", AREA), ("site", AREA)):
            self.people[level] = s.create_person(f"{level}人", area, actor=BY, phone=f"1{len(self.people)}")
            role = "commander" if level == "district" else "supervisor" if level == "street" else "responder"
            self.posts[level] = s.create_post(f"{level}岗", self.home, role, area, actor=BY, person=self.people[level])
            s.make_answerable(self.site.id if level == "site" else area, self.posts[level], level, actor=BY, valid_from=START)
        self.asker = {}
        self.refresh()

    def refresh(self):
        from anlan.register.scope import asker_of

        self.asker = {level: asker_of(person) for level, person in self.people.items()}

    def finding(self, at=START, cause=("read-1.2.1781416800000",)):
        from anlan.detect.models import Finding
        from anlan.engines.outbox import acting, emit
        from anlan.register.models import Station

        with acting(BY):
            station, _ = Station.objects.get_or_create(
                code="C2",
                defaults={
                    "id": "station-C2",
                    "name": "裂缝 C2",
                    "kind": "crack_meter",
                    "site": self.site,
                    "lon": 114.1,
                    "lat": 22.5,
                    "division_code": AREA,
                },
            )
            row = Finding(
                station=station,
                site=self.site,
                quantity="crack_width",
                detector="slope",
                hazard="slope",
                grade=3,
                at=at,
                zh="切线角 85.6°",
                en="tangent angle 85.6°",
                division_code=AREA,
                cause=list(cause),
            )
            row.save()
            emit("detect.finding.raised", row.id, {"site": self.site.id, "hazard": "slope", "grade": 3, "station": station.id})
        return row

    def proposal(self, finding, grade=3):
        from anlan.engines.outbox import acting, emit
        from anlan.issue.models import Proposal

        with acting(BY):
            row = Proposal(
                site=self.site,
                hazard="slope",
                grade=grade,
                proposed_at=START,
                decide_by=minute(20),
                zh="两类同证",
                en="two kinds agree",
                division_code=AREA,
                cause=[finding.id],
            )
            row.save()
            emit("issue.proposal.raised", row.id, {"site": self.site.id, "hazard": "slope", "grade": grade})
        return row

    def warn(self, grade=3, at=START, proposal=None, version=1):
        from anlan.engines.dispatch import drain
        from anlan.engines.outbox import acting, emit
        from anlan.issue.models import HazardWarning

        with acting(BY):
            HazardWarning.objects.filter(series="W", state="issued").update(state="superseded")
            row = HazardWarning(
                series="W",
                version=version,
                proposal=proposal,
                site=self.site,
                hazard="slope",
                grade=grade,
                title="边坡预警",
                title_en="Slope warning",
                text="…",
                issued_at=at,
                expires_at=at + timedelta(hours=12),
                signed_by=self.people["district"],
                division_code=AREA,
                cause=[proposal.id] if proposal else [],
            )
            row.save()
            emit(
                "issue.warning.issued",
                row.id,
                {"series": "W", "version": version, "kind": "issue", "grade": grade, "site": self.site.id, "hazard": "slope"},
            )
        drain()
        return row

    def lift(self, warning, at):
        from anlan.engines.dispatch import drain
        from anlan.engines.outbox import acting, emit

        with acting(BY):
            warning.state, warning.ended_at = "lifted", at
            warning.save()
            emit("issue.warning.lifted", warning.id, {"series": warning.series, "site": self.site.id, "hazard": "slope"})
        drain()

    def call(self, warning, level, at, limit_minutes=5):
        from anlan.engines.outbox import acting, emit
        from anlan.notify.models import CallChain, CallStep

        with acting(BY):
            chain, _ = CallChain.objects.get_or_create(
                warning=warning, defaults={"site": self.site, "division_code": AREA, "id": "chain-T", "cause": [warning.id]}
            )
            step = CallStep(
                chain=chain,
                order=100 + chain.steps.count(),  # after those that notify itself calls
                post=self.posts[level],
                person=self.people[level],
                state="calling",
                called_at=at,
                deadline=at + timedelta(minutes=limit_minutes),
                division_code=AREA,
                cause=[chain.id],
            )
            step.save()
            payload = {"warning": warning.id, "post": self.posts[level].id, "person": self.people[level].id}
            emit("notify.step.called", step.id, payload)
        return step

    def time_out(self, step):
        from anlan.engines.dispatch import drain
        from anlan.engines.outbox import acting, emit

        with acting(BY):
            step.state = "timed_out"
            step.save()
            payload = {"warning": step.chain.warning_id, "post": step.post_id, "person": step.person_id}
            emit("notify.step.timed_out", step.id, payload, cause=[step.id])
        drain()
