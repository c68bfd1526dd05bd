import math

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from anlan.base.plugin import scan
from anlan.notify.contract import Channel
from anlan.notify.stage import CallState, Draft, Order, Recipient, knock_order, next_wait_s, plan, priority, turn

CHANNELS = scan("anlan.notify.channels", Channel)
RING = ((114.15, 22.55), (114.16, 22.55), (114.16, 22.56), (114.15, 22.56), (114.15, 22.55))


def order(**changes):
    return Order(**{"warning": "warn-1", "series": "s", "kind": "issue", "grade": 4, "exercise": False, "title": "红", "text": "撤离。",
                    "polygons": (RING,), "codes": ("440303001",), **changes})  # fmt: skip


def home(n, lon=114.155, lat=22.555, phone="1", **more):
    return Recipient(
        f"household-{n}",
        f"{n}",
        "household",
        lon,
        lat,
        "440303001001",
        {"household": f"household-{n}", "phone": phone, "link": phone},
        **more,
    )


def speaker(n, lon, reach=0.0, kind="loudspeaker", **more):
    return Recipient(f"device-{n}", f"{n}", "device", lon, 22.555, "440303001001", {"device": f"device-{n}"}, reach, kind, **more)


PERSON = Recipient("person-1", "p", "person", None, None, "440303", {"person": "person-1", "email": "a@b.c"}, always=True)


def test_the_polygon_decides_and_a_loudspeaker_counts_with_its_reach():
    metre = 1 / (111_195 * math.cos(math.radians(22.555)))
    told = [home(1), home(2, lon=114.2), speaker(1, 114.16 + 400 * metre, 500), speaker(2, 114.16 + 600 * metre, 500)]
    assert [d.recipient.id for d in plan(told, order(), CHANNELS)] == ["household-1", "device-1"]


def test_without_an_outline_the_division_prefix_decides():
    assert len(plan([home(1, lon=0, lat=0)], order(polygons=()), CHANNELS)) == 1
    assert not plan([home(1)], order(polygons=(), codes=("440304",)), CHANNELS)


def test_no_way_to_reach_is_kept_as_unreachable_never_dropped():
    (draft,) = plan([home(1, phone="")], order(), CHANNELS)
    assert (draft.channel, draft.address) == ("", "")


def test_an_exercise_reaches_people_on_duty_only_and_says_so(monkeypatch):
    monkeypatch.setenv("ANLAN_SMTP_URL", "smtp://127.0.0.1:1")
    told = [home(1), speaker(1, 114.155), speaker(2, 114.155, kind="siren"), PERSON]
    drafts = plan(told, order(exercise=True), CHANNELS)
    assert {d.recipient.kind for d in drafts} == {"person"} and {d.channel for d in drafts} == {"inbox", "email"}
    assert all(d.title.startswith("【演练】") and d.text.startswith("【演练】") for d in drafts)


def test_sirens_only_for_red_and_to_fall_silent():
    siren = speaker(1, 114.155, kind="siren", always=True)
    assert not plan([siren], order(grade=3), CHANNELS)
    assert plan([siren], order(), CHANNELS) and plan([siren], order(kind="lift", grade=1), CHANNELS)


def test_the_same_recipient_twice_is_one_notice_with_a_stable_id():
    drafts = plan([home(1), home(1)], order(), CHANNELS)
    assert len(drafts) == 1
    assert drafts[0].notice_id("warn-1") == Draft(home(1), "inbox").notice_id("warn-1") != drafts[0].notice_id("warn-2")


def test_a_lift_overtakes_and_waits_are_bounded():
    assert priority("lift", 1) < priority("issue", 4) < priority("issue", 1)
    mail = CHANNELS["email"]
    waits = [next_wait_s(mail, n) for n in range(1, 8)]
    assert waits[:5] == list(mail.waits_s) and waits[5] is None and next_wait_s(mail, 0) is None


def test_the_weak_and_the_near_are_knocked_first():
    rows = [{"door": "a", "distance_m": 5}, {"door": "b", "distance_m": 90, "needs_help": "老人"}, {"door": "c", "distance_m": 1}]
    assert [r["door"] for r in knock_order(rows)] == ["b", "c", "a"]


@given(st.lists(st.sampled_from(["waiting", "calling", "refused", "timed_out", "skipped", "answered"]), max_size=6), st.integers(0, 100))
@settings(max_examples=200)
def test_turn_never_calls_two_and_never_rests_while_somebody_waits(states, now):
    steps = [CallState(i, s, 50 if s == "calling" else None) for i, s in enumerate(states)]
    move = turn(steps, now)
    calling = [s for s in steps if s.state == "calling" and s.order not in move.timed_out]
    assert not (calling and (move.call is not None or move.exhausted))
    if not calling:
        assert (move.call is not None) == ("waiting" in states) and move.exhausted == ("waiting" not in states)


class ChainLife(RuleBasedStateMachine):
    """Any order of answers and time: one is called at a time, an answer ends it, nobody is called after it."""

    def __init__(self):
        super().__init__()
        self.now, self.state, self.calls = 0, "calling", []
        self.steps = {n: CallState(n, "skipped" if n == 2 else "waiting") for n in range(1, 5)}
        self._move()

    def _move(self):
        if self.state != "calling":
            return
        move = turn(list(self.steps.values()), self.now)
        for n in move.timed_out:
            self.steps[n] = CallState(n, "timed_out")
        if move.call is not None:
            self.steps[move.call] = CallState(move.call, "calling", self.now + 3)
            self.calls.append(move.call)
        if move.exhausted:
            self.state = "exhausted"

    @rule(minutes=st.integers(1, 5))
    def time_passes(self, minutes):
        self.now += minutes
        self._move()

    @rule(n=st.sampled_from([1, 3, 4]), accept=st.booleans())
    def somebody_answers(self, n, accept):
        if self.state == "answered" or (not accept and self.steps[n].state not in ("waiting", "calling")):
            return
        self.steps[n] = CallState(n, "answered" if accept else "refused")
        if accept:
            self.state = "answered"
            self.steps = {k: CallState(k, "cancelled") if s.state in ("waiting", "calling") else s for k, s in self.steps.items()}
        self._move()

    @invariant()
    def in_order_once_and_one_at_a_time(self):
        assert self.calls == sorted(set(self.calls)) and 2 not in self.calls
        assert sum(s.state == "calling" for s in self.steps.values()) == (self.state == "calling")

    @invariant()
    def nothing_is_pending_after_the_end(self):
        if self.state != "calling":
            assert not any(s.state in ("waiting", "calling") for s in self.steps.values())


TestChainLife = ChainLife.TestCase
