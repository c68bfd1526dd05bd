"""The demo district goes into the register, twice without doubling, at the promised scale."""

from pathlib import Path

from anlan.twin.district import KEY_SLOPE, SENSORS, SLOPES


def test_the_quick_district_loads_and_loads_again(db: str, tmp_path: Path) -> None:
    from anlan.issue.models import StandingOrder
    from anlan.register.models import Device, Division, Household, Person, Post, Responsibility, Site, Station, Threshold
    from anlan.register.service import answerable
    from anlan.twin.load import load

    models = (Division, Site, Station, Device, Household, Person, Post, Responsibility, Threshold, StandingOrder)
    loaded = load(7, False, tmp_path, live=60)
    first = [m.objects.count() for m in models]
    again = load(7, False, tmp_path, live=60)
    assert [m.objects.count() for m in models] == first
    assert again.device_secret == loaded.device_secret and again.accounts == loaded.accounts
    assert Division.objects.filter(level="township").count() == 10 and Division.objects.filter(level="village").count() == 109
    assert Site.objects.filter(kind="slope").count() == SLOPES
    assert Station.objects.count() == SENSORS // 10
    slope = Site.objects.get(code=KEY_SLOPE)
    chain = answerable(slope.id, slope.division_code)
    assert [c.level for c in chain] == ["community", "street", "street", "district"]
    assert chain[0].person_id == loaded.accounts["secretary"]["person"]
    assert (tmp_path / "demo.json").stat().st_mode & 0o077 == 0
