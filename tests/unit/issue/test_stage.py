from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from anlan.base.grade import Grade
from anlan.issue.contract import DECIDE_BY, Assessment
from anlan.issue.stage import CLEAR_MS, MUTE_MS, Open, Past, decide, decide_by_minutes, fingerprint, storm_groups


def said(grade):
    return Assessment(Grade(grade), "句", "sentence", cause=(f"find-{grade}",))


@given(st.integers(0, 4), st.integers(1, 4), st.booleans(), st.integers(0, 10**9))
def test_an_open_proposal_never_falls(now, held, claimed, clear):
    result = decide(said(now), Open("p", held, claimed, clear_since_ms=clear), now_ms=clear + CLEAR_MS * 2)
    if result.kind != "none":
        assert result.grade >= held
    assert (result.kind == "raise_grade") == (now > held)


@given(st.integers(1, 4), st.integers(1, 4))
def test_a_standing_warning_inhibits_the_same_and_lower_only(grade, standing):
    result = decide(said(grade), None, [("warn-1", standing)])
    assert (result.kind == "raise") == (grade > standing)
    assert (result.inhibited_by == "warn-1") == (grade <= standing)


def test_a_declined_grade_is_quiet_for_an_hour_and_then_wakes():
    past = Past(grade=3, at_ms=0)
    assert decide(said(3), None, past=past, now_ms=MUTE_MS - 1).kind == "none"
    assert decide(said(3), None, past=past, now_ms=MUTE_MS).kind == "raise"
    assert decide(said(4), None, past=past, now_ms=1).kind == "raise", "worse evidence is never muted"


def test_withdrawal_waits_for_unbroken_calm_and_for_the_person():
    first = decide(said(0), Open("p", 3), now_ms=0)
    assert (first.kind, first.clear_since_ms) == ("refresh", 0)
    assert decide(said(0), Open("p", 3, clear_since_ms=0), now_ms=CLEAR_MS - 1).kind == "none"
    assert decide(said(0), Open("p", 3, clear_since_ms=0), now_ms=CLEAR_MS).kind == "withdraw"
    assert decide(said(0), Open("p", 3, claimed=True, clear_since_ms=0), now_ms=CLEAR_MS * 9).kind == "none"
    again = decide(said(2), Open("p", 3, clear_since_ms=0), now_ms=CLEAR_MS - 1)
    assert (again.kind, again.clear_since_ms) == ("refresh", None), "evidence is back: the wait starts anew"


def test_the_same_evidence_twice_is_no_news():
    assert decide(said(3), Open("p", 3, fingerprint=fingerprint(said(3)))).kind == "none"


def test_minutes_to_decide_shrink_with_the_grade_and_name_a_source():
    assert [decide_by_minutes(Grade(g)) for g in (1, 2, 3, 4)] == sorted((DECIDE_BY[Grade(g)].minutes for g in (1, 2, 3, 4)), reverse=True)
    assert all(m.source for m in DECIDE_BY.values())
    assert decide_by_minutes(Grade.RED) == 10


def test_a_storm_folds_only_yellow_and_blue():
    rows = [(f"p{i}", "440303001001", "rain", 2) for i in range(11)] + [("red", "440303001002", "slope", 4)]
    groups = storm_groups(rows)
    assert list(groups) == ["440303001|rain|2"] and all("red" not in ids for ids in groups.values())
    assert storm_groups(rows[:5]) == {}


class ProposalLife(RuleBasedStateMachine):
    """Any order of evidence and people's acts: the grade rises only, at most one is open, mutes end."""

    def __init__(self):
        super().__init__()
        self.now, self.open, self.warning, self.past, self.evidence, self.trail = 0, None, None, None, 0, []

    def _step(self):
        result = decide(said(self.evidence), self.open, [("w", self.warning)] if self.warning else [], self.past, self.now)
        if result.kind == "raise":
            assert self.open is None and (self.warning or 0) < result.grade
            self.open, self.trail = Open("p", int(result.grade), fingerprint=fingerprint(said(self.evidence))), [int(result.grade)]
        elif result.kind == "withdraw":
            assert self.evidence == 0 and not self.open.claimed
            self.open = None
        elif self.open is not None and result.kind != "none":
            self.open = Open("p", int(result.grade), self.open.claimed, result.clear_since_ms, fingerprint(said(self.evidence)))
            self.trail.append(int(result.grade))

    @rule(grade=st.integers(0, 4))
    def evidence_changes(self, grade):
        self.evidence = grade
        self._step()

    @rule(minutes=st.integers(1, 90))
    def time_passes(self, minutes):
        self.now += minutes * 60_000
        self._step()

    @precondition(lambda self: self.open is not None)
    @rule()
    def somebody_claims(self):
        self.open = Open("p", self.open.grade, True, self.open.clear_since_ms, self.open.fingerprint)

    @precondition(lambda self: self.open is not None)
    @rule(signed=st.booleans())
    def somebody_decides(self, signed):
        if signed:
            self.warning = max(self.warning or 0, self.open.grade)
        else:
            self._no(self.open.grade)
        self.open = None
        self._step()

    @precondition(lambda self: self.warning)
    @rule()
    def the_warning_is_lifted(self):
        self._no(self.warning)
        self.warning = None
        self._step()

    def _no(self, grade):
        """As the service does: the highest grade refused within the mute counts."""
        if self.past is None or grade >= self.past.grade or self.now - self.past.at_ms >= MUTE_MS:
            self.past = Past(grade, self.now)

    @invariant()
    def the_grade_only_rises(self):
        assert self.trail == sorted(self.trail)

    @invariant()
    def worse_evidence_is_never_lost(self):
        worst_known = max(self.open.grade if self.open else 0, self.warning or 0, self.past.grade if self.past else 0)
        assert self.evidence <= worst_known or self.evidence == 0


TestProposalLife = ProposalLife.TestCase
