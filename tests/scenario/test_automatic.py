"""Standing orders that issue: once, in the siren's transaction, always shown as automatic; people take over from there."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lazy import Lazy
from live_place import CODE, T0, LivePlace

from anlan.base.errors import AnlanError, FieldError

service = Lazy("anlan.issue.service")
check, judge = Lazy("anlan.issue.messages", "check"), Lazy("anlan.issue.proposals", "judge")
formats, draft_of = Lazy("anlan.issue.messages", "formats"), Lazy("anlan.issue.warnings", "draft_of")
HazardWarning, Proposal, StandingOrder = (Lazy("anlan.issue.models", n) for n in ("HazardWarning", "Proposal", "StandingOrder"))
DeviceCommand = Lazy("anlan.collect.models", "DeviceCommand")
AuditEntry, FailedEvent, Outbox = (Lazy("anlan.engines.models", name) for name in ("AuditEntry", "FailedEvent", "Outbox"))
acting, drain = Lazy("anlan.engines.outbox", "acting"), Lazy("anlan.engines.dispatch", "drain")
views = Lazy("anlan.issue.views")
pytestmark = pytest.mark.stack


def now():
    return datetime.now(UTC)


@pytest.fixture
def place(db):
    service.judge  # noqa: B018  importing it subscribes the handlers
    return LivePlace()


def order(place, grade=3, actions=("siren_on", "issue"), **fields):
    values = {"site": place.site, "signed_by": place.people["commander"], "signed_at": T0, "valid_from": T0 - timedelta(days=99)} | fields
    with acting("system:test"):
        return StandingOrder.objects.create(title="橙色即发", hazard="slope", grade=grade, actions=list(actions), **values)


def moved(*steps):
    for step in steps:
        step()
    drain()
    assert not FailedEvent.objects.exists(), FailedEvent.objects.first().error
    return Proposal.objects.filter(state__in=("open", "claimed")).first()


def issued():
    return list(HazardWarning.objects.filter(site__isnull=False).order_by("version"))


def test_it_issues_by_itself_once_with_the_siren_and_says_so_everywhere(place):
    o = order(place)
    finding = place.finding(3, now())
    assert moved() is None, "decided: nothing waits for a signature"
    (w,) = issued()
    proposal = Proposal.objects.get()
    assert (w.automatic, w.signed_by_id, w.grade, w.kind, w.state) == (o.id, place.people["commander"].id, 3, "issue", "issued")
    assert w.cause == [o.id, proposal.id] and proposal.state == "signed" and proposal.evidence["automatic"] == o.id
    assert DeviceCommand.objects.get(action="siren_on").cause == [o.id, proposal.id]
    siren, warning = (Outbox.objects.get(type=t) for t in ("issue.order.acted", "issue.warning.issued"))
    assert siren.payload["actions"] == ["siren_on", "issue"] and warning.payload["automatic"] == o.id
    assert "《橙色即发》" in w.text and "commander" in w.text and "automatically" in w.text_en
    row = views.warning_row(w)
    assert row["automatic_order"]["title"] == "橙色即发" and row["automatic_order"]["signed_by"] == "commander"
    xml = service.cap(w.id)
    assert check(xml).valid and "《橙色即发》".encode() in xml and b"<valueName>automatic</valueName>" in xml
    from dataclasses import replace

    national = formats()["national12379"].write(replace(draft_of(w), identifier="44030341600000_20260614133600", sender="示例区应急管理局"))
    assert "《橙色即发》".encode() in national
    assert AuditEntry.objects.filter(row=w.id, action="INSERT").exists()
    with acting("system:test"):  # the same event again, and more of the same
        judge(place.site.id, "slope", cause=finding.id)
    assert moved(lambda: place.finding(3, now() + timedelta(seconds=1), station=1)) is None
    assert len(issued()) == 1 and Outbox.objects.filter(type="issue.warning.issued").count() == 1


def test_worse_evidence_upgrades_by_itself_milder_never_lowers(place):
    order(place)
    moved(lambda: place.finding(3, now()))
    place.forecast(now())
    moved(lambda: place.finding(4, now() + timedelta(seconds=1)))
    assert [(w.version, w.grade, w.kind, w.state) for w in issued()] == [(1, 3, "issue", "superseded"), (2, 4, "upgrade", "issued")]
    moved(lambda: place.finding(1, now() + timedelta(seconds=2), tangent_angle_deg=30))
    moved(lambda: place.finding(0, now() + timedelta(seconds=3)))
    assert [(w.grade, w.state) for w in issued()] == [(3, "superseded"), (4, "issued")], "lowering is for people"


@pytest.mark.parametrize(
    "fields",
    [
        {"valid_to": T0 - timedelta(days=1)},
        {"valid_from": datetime(2099, 1, 1, tzinfo=UTC)},
        {"signed_by": None},
        {"site": None, "area": "440304"},
        {"site": None, "area": ""},
        {"grade": 4},
        {"hazard": "flood"},
    ],
)
def test_an_order_that_does_not_fit_issues_nothing(place, fields):
    grade, hazard = fields.pop("grade", 3), fields.pop("hazard", "slope")
    made = order(place, grade=grade, **fields)
    with acting("system:test"):
        StandingOrder.objects.filter(pk=made.pk).update(hazard=hazard)
    assert moved(lambda: place.finding(3, now())).grade == 3, "it waits for a person"
    assert issued() == [] and not DeviceCommand.objects.exists()


def test_an_order_for_the_area_fits_and_two_orders_issue_one_warning(place):
    area = order(place, site=None, area=CODE[:6], actions=["issue"])
    own = order(place, actions=["issue"])
    moved(lambda: place.finding(3, now()))
    assert [w.automatic for w in issued()] == [own.id], "the order for this very place speaks"
    assert Outbox.objects.filter(type="issue.order.acted").count() == 2 and area.id


def test_people_take_over(place):
    order(place)
    moved(lambda: place.finding(3, now()))
    (first,) = issued()
    second = service.update(first.id, place.commander, grade=4, reason="会商加重")
    assert (second.kind, second.grade, second.automatic, second.signed_by.name) == ("upgrade", 4, "", "commander")
    assert "自动" not in second.text and "automatically" not in second.text_en and views.warning_row(second)["automatic_order"] is None
    with pytest.raises(AnlanError) as late:
        service.sign(Proposal.objects.get().id, place.commander)
    assert late.value.code == "issue.already_decided" and "自动" in late.value.zh
    third = service.update(second.id, place.commander, grade=3, reason="减弱")
    assert third.kind == "downgrade"
    service.lift(third.id, place.commander, "险情解除")
    moved(lambda: place.finding(3, now() + timedelta(seconds=2), station=1))
    assert len(issued()) == 4, "lifted: quiet for an hour, the machine does not issue again"
    with acting("system:test"):
        judge(place.site.id, "slope", now=now() + timedelta(minutes=61))
    assert issued()[-1].state == "issued" or HazardWarning.objects.filter(state="issued").count() == 1, "every mute ends"


def test_a_claimed_proposal_is_issued_when_it_worsens_and_a_person_who_was_first_stands(place):
    order(place, grade=4)
    proposal = moved(lambda: place.finding(3, now()))
    service.claim(proposal.id, place.duty)
    place.forecast(now())
    moved(lambda: place.finding(4, now() + timedelta(seconds=1)))
    (w,) = issued()
    assert w.grade == 4 and w.automatic
    with acting("system:test"):
        w.state = "expired"
        w.save(update_fields=["state"])
        judge(place.site.id, "slope")
    assert HazardWarning.objects.filter(state="issued").count() == 1, "the evidence still stands after expiry"


def test_signed_and_withdrawn_by_people_with_the_right(place):
    facts = {"name": "红色即发", "hazard": "slope", "grade": 3, "actions": ["siren_on", "issue"], "site": place.site.id}
    with pytest.raises(AnlanError) as refused:
        service.sign_order(place.duty, **facts)
    assert refused.value.code == "register.no_right"
    for wrong, field in (
        ({"name": " "}, "title"), ({"hazard": "ghost"}, "hazard"), ({"grade": 5}, "grade"), ({"actions": []}, "actions"),
        ({"actions": ["launch"]}, "actions"), ({"site": "site-none"}, "site"), ({"site": ""}, "area"), ({"area": "4403"}, "area"),
        ({"valid_to": T0}, "valid_to"),
    ):  # fmt: skip
        with pytest.raises(FieldError) as bad:
            service.sign_order(place.commander, **(facts | wrong))
        assert bad.value.facts["field"] == field
    one = service.sign_order(place.commander, **facts)
    two = service.sign_order(place.commander, **facts)
    one.refresh_from_db()
    assert (two.version, two.cause, one.valid_to is not None) == (2, [one.id], True)
    with pytest.raises(FieldError):
        service.withdraw_order(two.id, place.commander, "")
    with pytest.raises(AnlanError):
        service.withdraw_order(two.id, place.duty, "不再需要")
    service.withdraw_order(two.id, place.commander, "不再需要")
    assert moved(lambda: place.finding(3, now())) is not None and issued() == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["find", "forecast", "replay", "lift", "update", "expire"]), st.integers(0, 4), st.integers(0, 1)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.integers(2, 4))
def test_state_machine_one_in_force_never_lowered_by_the_machine(db, steps, grade):
    """Whatever comes: at most one warning in force, versions without gap, and the machine never goes below what stood."""
    from django.db import transaction

    service.judge  # noqa: B018
    with transaction.atomic():
        place = LivePlace()
        order(place, grade=grade)
        at = now()
        for n, (what, level, station) in enumerate(steps):
            at += timedelta(seconds=7)
            before = HazardWarning.objects.filter(state="issued").first()
            if what == "find":
                moved(
                    lambda at=at, level=level, station=station: place.finding(level, at, station=station, tangent_angle_deg=60 + 7 * level)
                )
            elif what == "forecast":
                moved(lambda at=at: place.forecast(at))
            elif what == "replay":
                with acting("system:test"):
                    judge(place.site.id, "slope")
            elif before and what == "lift":
                service.lift(before.id, place.commander, "人工解除")
                drain()
            elif before and what == "update":
                service.update(before.id, place.commander, grade=max(level, 1), reason=f"人工 {n}")
                drain()
            elif before and what == "expire":
                with acting("system:test"):
                    from anlan.issue.warnings import expire_due

                    expire_due(before.expires_at)
                drain()
            standing = list(HazardWarning.objects.filter(state="issued"))
            assert len(standing) <= 1
            if before and what in ("find", "forecast", "replay"):
                assert standing and standing[0].grade >= before.grade
            for w in HazardWarning.objects.exclude(automatic=""):
                assert w.grade >= grade and "《橙色即发》" in w.text and w.kind in ("issue", "upgrade")
        by_series: dict[str, list[int]] = {}
        for w in HazardWarning.objects.order_by("series", "version"):
            by_series.setdefault(w.series, []).append(w.version)
        assert all(v == list(range(1, len(v) + 1)) for v in by_series.values())
        assert not FailedEvent.objects.exists()
        transaction.set_rollback(True)


def test_cap_out_is_signed_and_references_keep_the_sender_of_their_time(place, monkeypatch):
    monkeypatch.setenv("ANLAN_CAP_SENDER", "old@example.gov.cn")
    order(place)
    moved(lambda: place.finding(3, now()))
    (first,) = issued()
    monkeypatch.setenv("ANLAN_CAP_SENDER", "new@example.gov.cn")
    second = service.update(first.id, place.commander, text="新情况")
    xml = service.cap(second.id)
    assert check(xml).valid and check(xml).signature == "good"
    assert b"<sender>new@example.gov.cn</sender>" in xml and f"old@example.gov.cn,{first.id},".encode() in xml
    assert b"<sender>old@example.gov.cn</sender>" in service.cap(first.id) and check(service.cap(first.id)).signature == "good"
