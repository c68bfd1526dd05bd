from hypothesis import given
from hypothesis import strategies as st

from anlan.base.grade import Grade
from anlan.issue.contract import Evidence, Outlook, Place
from anlan.issue.stage import rule_for, rules

HOUR = 3_600_000
SLOPE = Place("site-1", "示例边坡", "Sample slope", "slope", "440303001001", stations=2)


def found(station="s1", grade=4, angle=86.0, dv=0.001, hazard="slope", **more):
    facts = {"tangent_angle_deg": angle, "velocity_increment_m_per_h": dv, "velocity_m_per_h": 0.0135, **more}
    detector = "slope" if hazard == "slope" else hazard
    return Evidence(
        f"find-{station}-{hazard}", station, station, "displacement", detector, hazard, grade, HOUR, facts, "加速。", "Speeds up."
    )


def outlook(width_h=2.0, made=HOUR):
    return Outlook("fcst-1", made, made + HOUR, made + 2 * HOUR, made + HOUR + int(width_h * HOUR))


def assess(*evidence, forecast=None, now=HOUR):
    return rules()["slope"].assess(evidence, forecast, now, SLOPE)


def test_red_needs_angle_increment_and_a_witness():
    assert assess(found(), forecast=outlook()).grade == Grade.RED
    assert assess(found(), found("s2", 3, 82)).grade == Grade.RED
    assert assess(found()).grade == Grade.ORANGE, "one sensor, no window"
    assert assess(found(angle=84.9), forecast=outlook()).grade == Grade.ORANGE
    assert assess(found(dv=-0.1), forecast=outlook()).grade == Grade.ORANGE
    assert assess(found(), forecast=outlook(width_h=24.0)).grade == Grade.ORANGE
    assert assess(found(), forecast=outlook(made=HOUR), now=30 * HOUR).grade == Grade.ORANGE, "a stale window is no witness"


def test_a_detector_that_shows_the_failure_law_passes_with_its_own_angle():
    law = [{"name": "angle", "ok": True}, {"name": "broken", "ok": True}, {"name": "ramp", "ok": True}]
    facts = {"velocity_before_m_per_h": 0.001, "remaining_p10_h": 2.0, "remaining_p90_h": 9.0}
    assert assess(found(angle=74.0, dv=None, gates=law, **facts)).grade == Grade.RED, "rising, law shown, window of 7 h"
    assert assess(found(angle=74.0, dv=None, gates=law[:2], **facts)).grade == Grade.ORANGE, "law not shown against every rival"
    assert assess(found(angle=74.0, dv=None, gates=law, **{**facts, "remaining_p90_h": 30.0})).grade == Grade.ORANGE, "window too wide"
    assert assess(found(angle=86.0, gates=law, **{**facts, "velocity_before_m_per_h": 0.02})).grade == Grade.ORANGE, "slowing down"


def test_suspect_data_never_red_for_slopes():
    assert assess(found(suspect=1), forecast=outlook()).grade == Grade.ORANGE
    assert assess(found(), found("s2", 3, 82, suspect=1)).grade == Grade.ORANGE, "a suspect second sensor is no witness"


def test_rain_alone_is_yellow_at_most_on_slopes():
    result = assess(found(hazard="rain", grade=4))
    assert result.grade == Grade.YELLOW
    assert not result.gates[0].ok


def test_gates_say_what_holds_red_back():
    result = assess(found(angle=83.1), forecast=outlook())
    assert [g.ok for g in result.gates] == [False, True, True, True]
    assert result.gates[0].value == "83.1 °"
    assert result.cause == ("find-s1-slope", "fcst-1")
    assert result.zh.startswith("加速；预计 01-01 ") and result.en.endswith(".")


def test_every_rule_answers_calm_with_clear_and_speaks_both_languages():
    for name, rule in rules().items():
        calm = rule.assess([], None, 0, SLOPE)
        assert calm.grade == Grade.CLEAR, name
        assert calm.zh and calm.en and all(rule.words)
        for zh, en in rule.instructions.values():
            assert zh and en
        assert all(Grade(g) in rule.instructions for g in range(1, rule.highest + 1)), name


def test_routing():
    assert rule_for("slope", "rain").name == "slope"
    assert rule_for("flood_point", "rain").name == "rain"
    assert rule_for("flood_point", "other").name == "flood"
    assert rule_for("enterprise", "gas").name == "other"
    assert rule_for("slope", "device").name == "device"


def test_one_silent_sensor_proposes_nothing_a_blind_place_does():
    rule = rules()["device"]
    silent = [Evidence(f"f{i}", f"s{i}", "", "displacement", "silence", "device", 2, 0) for i in range(2)]
    assert rule.assess(silent[:1], None, 0, SLOPE).grade == Grade.CLEAR
    assert rule.assess(silent, None, 0, SLOPE).grade == Grade.BLUE


@given(
    st.lists(
        st.builds(
            found,
            station=st.sampled_from(["s1", "s2", "s3"]),
            grade=st.integers(0, 4),
            angle=st.floats(0, 90),
            dv=st.floats(-1, 1),
            hazard=st.sampled_from(["slope", "rain"]),
            suspect=st.sampled_from([0, 1]),
        ),
        max_size=5,
    ),
    st.floats(0.1, 60),
)
def test_no_input_breaks_the_slope_promises(evidence, width):
    grade = assess(*evidence, forecast=outlook(width)).grade
    standing = [f for f in evidence if f.grade]
    assert grade <= max((f.grade for f in standing), default=0)
    if standing and all(f.hazard == "rain" for f in standing):
        assert grade <= Grade.YELLOW
    if standing and all(f.suspect for f in standing):
        assert grade < Grade.RED
