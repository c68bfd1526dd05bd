"""Who answers now and on that day, signing thresholds, bulk provisioning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from anlan.base.errors import AnlanError, FieldError

START = datetime(2026, 6, 1, tzinfo=UTC)
AREA = "440303008001"
BY = "system:test"


@pytest.fixture
def ladder(db):
    """A site with one post on each level."""
    from anlan.engines.outbox import acting
    from anlan.register import service as s
    from anlan.register.models import Organisation, Site

    with acting(BY):
        home = Organisation(name="区应急局", division_code="440303")
        home.save()
        site = Site(code="S1", name="边坡", kind="slope", lon=114.1, lat=22.5, division_code=AREA)
        site.save()
    posts = {}
    for level, area in (("district", "440303"), ("street", "440303008"), ("community", AREA), ("site", AREA)):
        person = s.create_person(f"{level}人", area, actor=BY, phone=f"1{len(posts)}")
        post = s.create_post(f"{level}岗", home, "responder", area, actor=BY, person=person)
        s.make_answerable(site.id if level == "site" else area, post, level, actor=BY, valid_from=START)
        posts[level] = post
    return site, posts


def test_nearest_level_is_called_first(ladder):
    from anlan.register.service import answerable

    site, _ = ladder
    found = answerable(site.id, site.division_code)
    assert [a.level for a in found] == ["site", "community", "street", "district"]
    assert all(a.person_id for a in found)


def test_leave_sends_the_substitute(ladder):
    from anlan.register import service as s

    site, posts = ladder
    stand_in = s.create_person("代班人", AREA, actor=BY)
    s.set_leave(posts["site"].person, True, stand_in, actor=BY, now=START + timedelta(days=2))
    first = s.answerable(site.id, site.division_code)[0]
    assert (first.person, first.stands_in_for) == ("代班人", "site人")
    before = s.answerable(site.id, site.division_code, START + timedelta(days=1))[0]
    assert (before.person, before.stands_in_for) == ("site人", "")
    with pytest.raises(FieldError):
        s.set_leave(stand_in, True, stand_in, actor=BY)


def test_who_answered_on_that_day(ladder):
    from anlan.register import service as s

    site, posts = ladder
    newcomer = s.create_person("新人", AREA, actor=BY)
    s.appoint(posts["community"], newcomer, actor=BY, now=START + timedelta(days=10))
    s.appoint(posts["street"], None, actor=BY, now=START + timedelta(days=10))

    def on(day):
        return {a.level: a.person for a in s.answerable(site.id, site.division_code, START + timedelta(days=day))}

    assert on(9)["community"] == "community人" and on(9)["street"] == "street人"
    assert on(11)["community"] == "新人" and on(11)["street"] == ""
    assert on(-1) == {}


def test_signing_a_threshold_closes_the_version_before(ladder):
    from anlan.engines.models import Outbox
    from anlan.engines.outbox import acting
    from anlan.register import service as s
    from anlan.register.models import Threshold

    site, posts = ladder
    signer = posts["district"].person
    rows = []
    for red in (0.02, 0.03):
        with acting(BY):
            row = Threshold(quantity="crack_width", site=site, red=red, source="§1", valid_from=START, division_code=AREA)
            row.save()
        rows.append(s.sign_threshold(row.id, signer, now=START + timedelta(days=len(rows))))
    first = Threshold.objects.get(pk=rows[0].id)
    second = Threshold.objects.get(pk=rows[1].id)
    assert (first.version, second.version) == (1, 2)
    assert first.valid_to == second.valid_from and second.valid_to is None
    assert first.id in second.cause
    assert Outbox.objects.filter(type="register.threshold.signed", subject=second.id).count() == 1
    with pytest.raises(AnlanError, match="already_signed"):
        s.sign_threshold(second.id, signer)
    second.red = 0.5
    with pytest.raises(AnlanError, match="already_signed"):
        second.save()
    with acting(BY):
        empty = Threshold(quantity="tilt", site=site, source="§1", valid_from=START)
        empty.save()
    with pytest.raises(AnlanError, match="threshold_empty"):
        s.sign_threshold(empty.id, signer)


def columns(n):
    return {
        "sites": {"code": ["A"], "name": ["甲"], "kind": ["slope"], "lon": [114.1], "lat": [22.5], "division_code": ["440303008001"]},
        "stations": {
            "code": [f"T{i}" for i in range(n)],
            "name": ["点"] * n,
            "kind": ["crack_meter"] * n,
            "site": ["A"] * n,
            "lon": [114.1] * n,
            "lat": [22.5] * n,
        },
        "devices": {"client_id": [f"D{i}" for i in range(n)], "site": ["A"] * n},
        "series": {
            "station": [f"T{i}" for i in range(n)],
            "quantity": ["crack_width"] * n,
            "device": [f"D{i}" for i in range(n)],
            "unit": ["mm"] * n,
        },
    }


def test_provisioning_twice_changes_nothing_and_keeps_numbers(db):
    from anlan.register.models import Device, DeviceSeries, Series, Station
    from anlan.register.service import provision

    first = provision(actor=BY, **columns(50))
    stamp = Station.objects.get(code="T7").updated_at
    second = provision(actor=BY, **columns(50))
    assert first.numbers == second.numbers and len(set(first.numbers.values())) == 50
    assert (Station.objects.count(), Series.objects.count(), DeviceSeries.objects.count()) == (50, 50, 50)
    station = Station.objects.get(code="T7")
    assert station.updated_at == stamp and station.division_code == "440303008001" and station.id == "station-T7"
    assert DeviceSeries.objects.get(device__client_id="D7").key == "crack_width"
    assert Device.objects.get(client_id="D7").secret_hash == "!"


def test_secrets_are_kept_as_hashes_and_rotated(db):
    credentials = pytest.importorskip("anlan.register.credentials")
    from anlan.register.models import Device
    from anlan.register.service import provision, rotate_secret

    given = columns(2)
    given["devices"]["secret"] = ["geheim", ""]
    provision(actor=BY, **given)
    first, second = Device.objects.order_by("client_id")
    assert credentials.check_secret("geheim", first.secret_hash) and second.secret_hash == "!"
    assert not credentials.check_secret("", second.secret_hash)
    new = rotate_secret(first.id, actor=BY)
    first.refresh_from_db()
    assert credentials.check_secret(new, first.secret_hash) and not credentials.check_secret("geheim", first.secret_hash)
    with pytest.raises(AnlanError, match="not_found"):
        rotate_secret("device-none", actor=BY)


@pytest.mark.parametrize(
    ("table", "column", "value", "field"),
    [
        ("sites", "kind", "volcano", "sites.kind"),
        ("sites", "lat", float("nan"), "sites.lat"),
        ("sites", "lat", 114.0, "sites.lat"),
        ("sites", "division_code", "44x", "division_code"),
        ("stations", "site", "B", "stations.site"),
        ("series", "quantity", "mood", "quantity"),
        ("series", "unit", "kPa", "unit"),
        ("series", "station", "T99", "series.station"),
        ("devices", "site", "B", "devices.site"),
        ("stations", "code", "", "stations.code"),
    ],
)
def test_provisioning_names_what_it_cannot_take(db, table, column, value, field):
    from anlan.register.models import Site
    from anlan.register.service import provision

    given = columns(3)
    given[table][column] = [value, *given[table][column][1:]]
    with pytest.raises(FieldError) as caught:
        provision(actor=BY, **given)
    assert caught.value.facts["field"] == field
    assert not Site.objects.exists()


def test_shipped_divisions(db):
    from anlan.register.models import Division
    from anlan.register.service import load_divisions

    assert load_divisions(["440303"], actor=BY) == load_divisions(["440303"], actor=BY) == 122
    assert Division.objects.filter(code__startswith="440303", level="township").count() == 10
    assert Division.objects.filter(code__startswith="440303", level="village").count() == 109
    assert Division.objects.get(code="440303008").name_en == "Liantang Subdistrict"
    with pytest.raises(FieldError):
        load_divisions(["650000000000"], actor=BY)
