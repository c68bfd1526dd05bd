"""The hindcast: reading records, no look-ahead, and skill on cases that nothing was tuned on."""

import json

import numpy as np
import pytest

from anlan.base.errors import FieldError
from anlan.cli import main
from anlan.rehearse.cases import KINDS, make, shape
from anlan.rehearse.hindcast import hindcast, play
from anlan.rehearse.slope_records import Record, read


def record(case):
    return Record(case.name, case.time_h, case.disp_mm * 1e-3, 0)


@pytest.mark.parametrize(
    "text, names, metres",
    [
        ("case_id,time_h,disp_mm\nb,0,1\na,0,2\na,24,4\n", ["a", "b"], [0.002, 0.004]),
        ("time,station,dx_mm,disp_mm\n2020-02,X,9,1\n2020-01,X,9,5\n", ["X"], [0.005, 0.001]),
        ("time,A_mm,B_cm,rain_mm\n2020-01-01,1,2,50\n2020-01-02,3,,60\n", ["A", "B"], [0.001, 0.003]),
        ("time,point,track,los_disp_mm\n2020-01-01,p,t,-1\n2020-01-13,p,t,-2.5\n", ["p"], [-0.001, -0.0025]),
    ],
)
def test_records_of_any_shape(tmp_path, text, names, metres):
    (tmp_path / "r.csv").write_text(text)
    records = read(str(tmp_path / "r.csv"))
    assert [r.name for r in records] == names and np.allclose(records[0].metres, metres)


@pytest.mark.parametrize(
    "text, code",
    [
        ("a,b\n1,2\n", "rehearse.bad_columns"),
        ("time,rain_mm\n2020-01-01,2\n", "rehearse.bad_columns"),
        ("time,disp_mm\nyesterday,2\n", "rehearse.bad_time"),
        ("", "rehearse.bad_columns"),
    ],
)
def test_bad_records_say_what_is_wrong(tmp_path, text, code):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(FieldError) as error:
        read(str(tmp_path / "r.csv"))
    assert error.value.code == code


def test_a_file_that_is_not_there(capsys):
    assert main(["hindcast", "slopes", "/nowhere/x.csv"]) == 1
    assert "无法读取" in capsys.readouterr().err


def test_the_command_prints_one_json_object(tmp_path, capsys):
    lines = ["case_id,time_h,disp_mm"] + [f"a,{h},{0.01 * h}" for h in range(60)] + ["b,0,1"]
    (tmp_path / "r.csv").write_text("\n".join(lines))
    assert main(["hindcast", "slopes", str(tmp_path / "r.csv"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [s["id"] for s in said["stations"]] == ["a", "b"] and said["stations"][1]["episodes"] == []


def test_generated_law():
    # alpha = 2 without modulation: x = -ln(1 - tau)
    assert np.allclose(shape(np.array([0.5, 0.9]), 2.0, 0.0, 5.0, 0.0), [np.log(2), np.log(10)], rtol=1e-3)
    assert make(5).disp_mm.tolist() == make(5).disp_mm.tolist() and {make(s).kind for s in range(60)} <= set(KINDS)


def test_nothing_said_is_ever_revised():
    whole = [record(c) for c in (make(s) for s in (9001, 9002, 9004))]
    cut = [Record(r.name, r.time_h[: len(r.time_h) * 2 // 3], r.metres[: len(r.metres) * 2 // 3], 0) for r in whole]
    for long, short in zip(play(whole), play(cut), strict=True):
        end = next(r.time_h[-1] for r in cut if r.name == short["id"])
        assert [(e["grade"], e["start"]) for e in long["episodes"] if e["start"] <= end] == [
            (e["grade"], e["start"]) for e in short["episodes"]
        ]
        assert [f for f in long["forecasts"] if f["at"] <= end] == short["forecasts"]


def test_alone_or_in_company_is_the_same():
    records = [record(make(s)) for s in range(9010, 9016)]
    assert play(records)[2] == play(records[2:3])[0]


@pytest.fixture(scope="module")
def held_out():
    """Failing and other cases of seeds that neither tuning nor training has seen."""
    cases = [make(s) for s in range(20_000, 20_030)]
    return list(zip(cases, hindcast([record(c) for c in cases], jobs=2), strict=True))


def test_failing_cases_are_found_and_others_left_alone(held_out):
    found = [any(e["grade"] == "red" for e in s["episodes"]) for c, s in held_out if c.kind == "fail"]
    wrong = [any(e["grade"] == "red" for e in s["episodes"]) for c, s in held_out if c.kind not in ("fail", "regress")]
    assert len(found) >= 8 and np.mean(found) >= 0.8
    assert np.mean(wrong) <= 0.1


def test_failure_time_is_near_and_its_interval_honest(held_out):
    errors, covered = [], []
    for c, s in held_out:
        if c.kind != "fail":
            continue
        for moment in (0.7, 0.8, 0.9):
            now = c.t_fail_h - (1 - moment) * c.phase_h
            past = [f for f in s["forecasts"] if now - 3 * c.step_h <= f["at"] <= now]
            if past:
                f = past[-1]
                errors.append(abs(np.log(max(f["p50"] - now, 0.01) / (c.t_fail_h - now))))
                covered.append(f["p10"] <= c.t_fail_h <= f["p90"])
    assert len(errors) >= 20 and np.median(errors) < 0.4
    assert 0.55 <= np.mean(covered) <= 0.97


@pytest.mark.parametrize("name, most_orange", [("outang_daily_2016_2018.csv", 3), ("baishuihe_gnss_monthly.csv", 1)])
def test_real_slopes_that_stood_are_never_red(shared, name, most_orange):
    said = hindcast(read(str(shared / "data" / "slopes" / name)), jobs=1)
    grades = [e["grade"] for s in said for e in s["episodes"]]
    assert grades.count("red") == 0 and grades.count("orange") <= most_orange


def test_the_dam_that_failed_is_read_and_answered(shared):
    said = play(read(str(shared / "data" / "slopes" / "brumadinho_insar_desc155.csv")))
    assert {s["id"] for s in said} == {"dam_crest", "stable_ref", "tailings_lower", "tailings_upper"}
    assert not any(e["grade"] == "red" for s in said for e in s["episodes"] if s["id"] == "stable_ref")
