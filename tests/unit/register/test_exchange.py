"""Ledgers in and out: good rows go in, bad ones come back with their reason, nothing is run as a formula."""

from __future__ import annotations

import io
import zipfile

import pytest

from anlan.base.errors import AnlanError, FieldError
from anlan.register.sheets import read_table, write_table

BY = "system:test"
AREA = "440303008001"


@pytest.fixture
def ready(db):
    from anlan.engines.outbox import acting
    from anlan.register.models import Organisation, Site
    from anlan.register.service import load_divisions

    load_divisions(["440303"], actor=BY)
    with acting(BY):
        Organisation(name="莲塘街道办", division_code="440303008").save()
        Site(code="S1", name="一号坡", kind="slope", lon=114.1, lat=22.5, division_code=AREA).save()


def csv_of(*rows):
    return "\n".join(",".join(map(str, row)) for row in rows).encode()


def take(name, data, filename="台账.csv", **more):
    from anlan.register.exchange import import_ledger

    return import_ledger(name, data, filename, actor=BY, **more)


SITES = ("编码", "名称", "类别", "经度", "纬度", "区划", "source_crs")


def test_good_rows_go_in_bad_rows_come_back(ready):
    from anlan.register.models import Site

    data = csv_of(
        SITES,
        ("A1", "甲坡", "边坡", 114.2, 22.5, AREA, "wgs84"),
        ("A2", "乙坡", "火山", 114.2, 22.5, AREA, "wgs84"),
        ("A3", "丙坡", "slope", 114.2, 222.5, AREA, "wgs84"),
        ("A4", "丁坡", "slope", 114.2, 22.5, AREA, ""),
        ("A5", "戊坡", "slope", 114.2, 22.5, "440303999", "wgs84"),
        ("A6", "", "slope", 114.2, 22.5, AREA, "wgs84"),
        ("A1", "再来", "slope", 114.2, 22.5, AREA, "wgs84"),
        ("A8", "辛坡", "slope", "NaN", 22.5, AREA, "wgs84"),
        ("A9", "壬坡", "reservoir", 114.2, 22.5, "440303008000", "cgcs2000"),
    )
    tried = take("site", data, dry_run=True)
    assert (tried.created, tried.rejected) == (2, 7) and not Site.objects.filter(code="A1").exists()
    outcome = take("site", data)
    assert (outcome.created, outcome.updated, outcome.rejected) == (2, 0, 7)
    named = {r["row"]: r["field"] for r in outcome.reasons}
    assert named == {3: "kind", 4: "lat", 5: "source_crs", 6: "division_code", 7: "name", 8: "code", 9: "lon"}
    assert all(r["zh"] and r["en"] and r["field"] in r["zh"] for r in outcome.reasons)
    assert Site.objects.get(code="A9").division_code == "440303008" and Site.objects.get(code="A1").partition >= 0
    back = read_table(outcome.rejected_file, outcome.rejected_name)
    assert outcome.rejected_name == "台账-rejected.csv"
    assert back.header == [*SITES, "原因", "Reason"] and len(back.rows) == 7 and back.rows[0][:2] == ["A2", "乙坡"]


def test_the_rejected_file_can_be_mended_and_sent_again(ready):
    from anlan.register.models import Site

    first = take("site", csv_of(SITES, ("A2", "乙坡", "火山", 114.2, 22.5, AREA, "wgs84")))
    mended = first.rejected_file.replace("火山".encode(), "边坡".encode(), 1)
    second = take("site", mended)
    assert (second.created, second.rejected, second.warnings) == (1, 0, [])
    assert Site.objects.get(code="A2").kind == "slope"


def test_twice_is_once_and_a_change_is_a_change(ready):
    from anlan.register.models import Site

    row = ("A1", "甲坡", "slope", 114.2, 22.5, AREA, "wgs84")
    assert take("site", csv_of(SITES, row)).created == 1
    before = Site.objects.get(code="A1")
    again = take("site", csv_of(SITES, row))
    assert (again.created, again.updated, again.unchanged) == (0, 0, 1)
    changed = take("site", csv_of(("编码", "名称"), ("A1", "甲坡（新）")))
    after = Site.objects.get(code="A1")
    assert changed.updated == 1 and after.name == "甲坡（新）"
    assert (after.id, after.lon, after.created_at) == (before.id, before.lon, before.created_at)


def test_the_same_device_twice(ready):
    """In one file the second row comes back; in a second file it is the same device, its secret untouched."""
    from anlan.register.models import Device

    head = ("设备号", "类别", "监测对象", "名称", "区划")
    twice = take("device", csv_of(head, ("D1", "sensor", "S1", "甲", AREA), ("D1", "siren", "S1", "乙", AREA)))
    assert (twice.created, twice.rejected) == (1, 1), twice.reasons
    assert twice.reasons[0]["field"] == "client_id" and twice.reasons[0]["zh"] and twice.reasons[0]["en"]
    before = Device.objects.get(client_id="D1")
    again = take("device", csv_of(head, ("D1", "sensor", "S1", "甲二", AREA)))
    after = Device.objects.get(client_id="D1")
    assert (again.created, again.updated) == (0, 1)
    assert (after.pk, after.secret_hash, after.kind, after.name) == (before.pk, before.secret_hash, "sensor", "甲二")
    assert Device.objects.count() == 1


def test_coordinates_have_no_default_system_and_are_converted(ready):
    from anlan.base.geo import distance_m
    from anlan.register.models import Site

    header = SITES[:-1]
    row = ("A1", "甲坡", "slope", 114.12, 22.55, AREA)
    refused = take("site", csv_of(header, row))
    assert refused.rejected == 1 and refused.reasons[0]["field"] == "source_crs"
    assert take("site", csv_of(header, row), source_crs="gcj02").created == 1
    site = Site.objects.get(code="A1")
    assert 400 < distance_m(site.lon, site.lat, 114.12, 22.55) < 800
    with pytest.raises(FieldError):
        take("site", csv_of(header, row), source_crs="mars")


def test_references_by_code_or_name(ready):
    from anlan.register.models import DeviceSeries, Series, Site, Station
    from anlan.register.service import answerable

    stations = csv_of(
        ("code", "name", "kind", "site", "lon", "lat", "source_crs", "quantities"),
        ("T1", "裂缝一", "crack_meter", "S1", 114.1, 22.5, "wgs84", "crack_width;tilt"),
        ("T2", "裂缝二", "crack_meter", "S9", 114.1, 22.5, "wgs84", "crack_width"),
        ("T3", "裂缝三", "crack_meter", "S1", 114.1, 22.5, "wgs84", "mood"),
    )
    outcome = take("station", stations)
    assert outcome.created == 1 and [r["field"] for r in outcome.reasons] == ["site", "quantity"]
    station = Station.objects.get(code="T1")
    assert station.division_code == AREA and station.number > 0 and Series.objects.filter(station=station).count() == 2
    devices = csv_of(
        ("client_id", "site", "feeds"),
        ("D1", "S1", "T1:crack_width[mm]; angle=T1:tilt[deg]"),
        ("D2", "S1", "T1:crack_width[kPa]"),
        ("D3", "S1", "T7:tilt"),
    )
    outcome = take("device", devices)
    assert outcome.created == 1 and [r["field"] for r in outcome.reasons] == ["unit", "feeds"]
    assert dict(DeviceSeries.objects.values_list("key", "unit")) == {"crack_width": "mm", "angle": "deg"}
    assert take("device", devices).unchanged == 1
    people = csv_of(("姓名", "电话", "区划"), ("王一", "13800000001", AREA), ("李二", "+86 138", AREA))
    assert take("person", people).created == 2
    posts = csv_of(("岗位", "单位", "任职者", "角色", "区划"), ("书记", "莲塘街道办", "王一", "责任人", AREA))
    assert take("post", posts).created == 1
    rows = csv_of(("对象", "责任岗位", "层级", "生效"), ("S1", "书记", "社区", "2026-06-01"), ("S7", "书记", "社区", "2026-06-01"))
    outcome = take("responsibility", rows)
    assert outcome.created == 1 and [r["field"] for r in outcome.reasons] == ["object_id"]
    found = answerable(Site.objects.get(code="S1").id, AREA)
    assert [(a.post, a.level, a.person) for a in found] == [("书记", "community", "王一")]


def test_two_of_the_same_name_are_not_guessed(ready):
    people = csv_of(("name", "phone", "division_code"), ("王一", "1", AREA), ("王一", "2", AREA))
    assert take("person", people).created == 2
    posts = csv_of(("name", "organisation", "person", "role", "division_code"), ("书记", "莲塘街道办", "王一", "responder", AREA))
    outcome = take("post", posts)
    assert outcome.reasons[0]["field"] == "person" and "2" in outcome.reasons[0]["zh"]


def test_rights_by_area(ready):
    from anlan.register.scope import Asker

    asker = Asker("person-x", "名录员", ("440303008",), {"register": ("440303008",)})
    data = csv_of(
        SITES,
        ("A1", "甲坡", "slope", 114.2, 22.5, AREA, "wgs84"),
        ("A2", "乙坡", "slope", 114.2, 22.5, "440303001", "wgs84"),
    )
    outcome = take("site", data, asker=asker)
    assert outcome.created == 1 and outcome.reasons[0]["row"] == 3
    stolen = csv_of(("编码", "区划"), ("A1", "440303001"))
    assert take("site", stolen, asker=asker).rejected == 1
    other = Asker("person-y", "别街道", ("440303001",), {"register": ("440303001",)})
    assert take("site", csv_of(("编码", "区划"), ("A1", "440303001")), asker=other).rejected == 1


def test_a_file_reaches_nothing_outside_the_area(ready):
    from anlan.engines.outbox import acting
    from anlan.register.models import Site, Station
    from anlan.register.scope import Asker

    with acting(BY):
        far = Site(code="FAR", name="别处的坡", kind="slope", lon=114.2, lat=22.5, division_code="440303001001")
        far.save()
        Station(code="FAR-1", name="别处的测点", site=far, lon=114.2, lat=22.5, division_code="440303001001").save()
        Station(code="S1-1", name="自己的测点", site=Site.objects.get(code="S1"), lon=114.1, lat=22.5, division_code=AREA).save()
    # sees the whole county, keeps the registers of one township only
    asker = Asker("person-x", "名录员", ("440303",), {"register": ("440303008",)})
    head = ("client_id", "username", "name", "kind", "division_code", "feeds")
    data = csv_of(head, ("D1", "D1", "甲", "sensor", AREA, "FAR-1:tilt"), ("D2", "D2", "乙", "sensor", AREA, "S1-1:tilt"))
    outcome = take("device", data, asker=asker)
    assert [r["field"] for r in outcome.reasons] == ["feeds"] and outcome.created == 1, outcome.reasons
    narrow = Asker("person-x", "名录员", ("440303008",), {"register": ("440303008",)})
    stations = csv_of(
        ("code", "name", "kind", "site", "lon", "lat", "source_crs"),
        *((c, c, "rain", s, 114.2, 22.5, "wgs84") for c, s in (("N1", "FAR"), ("N2", "S1"))),
    )
    outcome = take("station", stations, asker=narrow)
    assert [r["field"] for r in outcome.reasons] == ["site"] and outcome.created == 1, outcome.reasons


def test_a_registrar_hands_out_no_roles(ready):
    from anlan.register.scope import Asker

    posts = csv_of(("name", "organisation", "role", "division_code"), ("局长", "莲塘街道办", "admin", AREA))
    asker = Asker("person-x", "名录员", ("440303008",), {"register": ("440303008",)})
    assert take("post", posts, asker=asker).rejected == 1
    asker = Asker("person-x", "管理员", ("440303008",), {"register": ("440303008",), "admin": ("440303008",)})
    assert take("post", posts, asker=asker).created == 1


def test_signed_thresholds_are_not_overwritten(ready):
    from anlan.register import service as s
    from anlan.register.models import Threshold

    header = ("quantity", "site", "mode", "red", "source", "valid_from")
    assert take("threshold", csv_of(header, ("裂缝宽度", "S1", "高于", 0.02, "§1", "2026-06-01 08:00"))).created == 1
    row = Threshold.objects.get()
    assert row.signed_by is None and row.valid_from.hour == 0
    s.sign_threshold(row.id, s.create_person("签发人", AREA, actor=BY))
    row.refresh_from_db()
    again = take("threshold", csv_of(("id", "red"), (row.id, 0.5)))
    assert again.rejected == 1 and "已签发" in again.reasons[0]["zh"]


def test_what_cannot_be_imported(ready):
    with pytest.raises(AnlanError, match="not_importable"):
        take("incident", b"a,b\n1,2")
    with pytest.raises(AnlanError, match="not_found"):
        take("dragon", b"a,b\n1,2")
    with pytest.raises(FieldError, match="header"):
        take("site", csv_of(("名称",), ("甲",)))
    with pytest.raises(FieldError, match="twice"):
        take("site", csv_of(("编码", "code"), ("1", "2")))


def test_export_comes_back_unchanged(ready):
    from anlan.register.exchange import export_ledger
    from anlan.register.models import Person

    people = csv_of(("name", "phone", "division_code"), ("=HYPERLINK(1)", "+8613800000001", AREA), ("@王", "-1", AREA), ("张三", "1", AREA))
    assert take("person", people).created == 3
    for kind in ("csv", "xlsx"):
        data = export_ledger("person", kind)
        outcome = take("person", data, f"人员.{kind}")
        assert (outcome.unchanged, outcome.rejected, outcome.created, outcome.warnings) == (3, 0, 0, []), kind
    assert Person.objects.filter(name="=HYPERLINK(1)", phone="+8613800000001").count() == 1
    assert take("site", export_ledger("site", "xlsx"), "a.xlsx").unchanged == 1


def test_two_people_may_share_name_and_telephone(ready):
    from anlan.register.models import Person

    head = ("name", "phone", "code", "division_code")
    assert take("person", csv_of(head, ("李伟", "10086", "A1", AREA), ("李伟", "10086", "A2", AREA))).created == 2
    again = take("person", csv_of((*head, "email"), ("李伟", "10086", "A2", AREA, "b@example.org"), ("李伟", "10086", "A1", AREA, "")))
    assert (again.created, again.updated, again.unchanged) == (0, 1, 1)
    assert Person.objects.get(code="A2").email == "b@example.org"
    assert take("person", csv_of(head, ("李伟", "10086", "A1", AREA), ("李伟", "10086", "A1", AREA))).rejected == 1


def test_templates_are_taken(ready):
    from openpyxl import load_workbook

    from anlan.register.exchange import ledger_models, template

    for name, model in ledger_models().items():
        if model.LEDGER.editable:
            header = [c.value for c in load_workbook(io.BytesIO(template(name))).worksheets[0][1]]
            assert header and "secret" not in " ".join(map(str, header))
    book = load_workbook(io.BytesIO(template("site")))
    assert [c.value for c in book["数据"][1]][:2] == ["编码", "名称"] and "边坡" in str([c.value for r in book["说明"] for c in r])


# files


def workbook(rows):
    return write_table("xlsx", rows[0], rows[1:])


def test_formulas_stay_text():
    cells = ["=1+1", "+86", "-5", "@x", "\tx", "好", "'quoted"]
    data = write_table("csv", ["a"], [[c] for c in cells])
    text = data.decode("utf-8-sig")
    assert "\n=" not in text and "\n+" not in text and "\n@" not in text
    assert [r[0] for r in read_table(data, "x.csv").rows] == cells
    book = workbook([["a"], *[[c] for c in cells]])
    from openpyxl import load_workbook

    assert all(c.data_type == "s" for (c,) in load_workbook(io.BytesIO(book)).worksheets[0].iter_rows())
    assert [r[0] for r in read_table(book, "x.xlsx").rows] == cells


def good():
    return workbook([["编码", "名称"], ["A1", "甲"], [13800138000.0, 440303]])


def zip_with(**parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "word"),
    [
        (b"", "a.xlsx", "空"),
        (lambda: good()[: len(good()) // 2], "a.xlsx", "不完整"),
        (lambda: good()[:-30], "a.xlsx", "不完整"),
        (lambda: good()[:200] + b"\x00" * 400 + good()[600:], "a.xlsx", "不完整"),
        (b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "a.xlsx", "旧版"),
        (b"hello", "a.xlsx", "不是完整的 Excel"),
        (b"\x00\x01\x02", "a.csv", "不是完整的 Excel"),
        (b"a,b\n", "a.csv", "没有数据行"),
        (b"\n\n,,\n", "a.csv", "没有任何内容"),
        (b"\xff\xfe\xfa\xff\x81", "a.csv", "编码"),
        (zip_with(**{"word/document.xml": "<a/>"}), "a.xlsx", "不完整"),
        (zip_with(**{"xl/workbook.xml": "<broken", "[Content_Types].xml": "<x/>"}), "a.xlsx", "不完整"),
    ],
)
def test_files_that_cannot_be_read_say_so(data, name, word):
    with pytest.raises(FieldError) as caught:
        read_table(data() if callable(data) else data, name)
    assert caught.value.code == "register.bad_file" and word in caught.value.zh and caught.value.en


def test_a_zip_bomb_is_refused(monkeypatch):
    from anlan.register import sheets

    monkeypatch.setattr(sheets, "LARGEST_UNPACKED", 1000)
    with pytest.raises(FieldError, match="too large"):
        read_table(zip_with(**{"xl/worksheets/sheet1.xml": b"0" * 5000}), "a.xlsx")


def test_spreadsheet_numbers_and_encodings():
    table = read_table(good(), "a.xlsx")
    assert table.header == ["编码", "名称"] and table.rows[1] == [13800138000, 440303] and table.first == 2
    assert read_table("编码;名称\nA;甲\n".encode("gb18030"), "a.csv").rows == [["A", "甲"]]


def test_outlines_need_their_system(ready):
    import json

    from anlan.register.models import Division
    from anlan.register.outlines import import_outlines

    ring = [[114.1, 22.5], [114.2, 22.5], [114.2, 22.6], [114.1, 22.5]]
    far = [[500000, 1], [2, 2], [3, 3], [500000, 1]]
    features = [
        {"type": "Feature", "properties": {"gb": "156440303"}, "geometry": {"type": "Polygon", "coordinates": [ring]}},
        {"type": "Feature", "properties": {"name": "莲塘街道"}, "geometry": {"type": "Polygon", "coordinates": [ring]}},
        {"type": "Feature", "properties": {"name": "莲塘街道"}, "geometry": {"type": "Point", "coordinates": [1, 2]}},
        {
            "type": "Feature",
            "properties": {"code": "440303001"},
            "geometry": {"type": "Polygon", "coordinates": [far]},
        },
        {"type": "Feature", "properties": {}, "geometry": None},
        "x",
    ]
    data = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    with pytest.raises(FieldError, match="must be named"):
        import_outlines(data, "a.geojson", "", actor=BY)
    with pytest.raises(FieldError, match="FeatureCollection"):
        import_outlines(b"[1]", "a.geojson", "wgs84", actor=BY)
    outcome = import_outlines(data, "a.geojson", "gcj02", actor=BY)
    assert (outcome["accepted"], outcome["rejected"]) == (2, 4)
    row = Division.objects.get(code="440303")
    assert row.schematic is False and abs(row.geometry["coordinates"][0][0][0] - 114.1) > 0.001
    assert Division.objects.get(code="440303001").schematic is True
