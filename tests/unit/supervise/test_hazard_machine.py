"""Hypothesis walks the hazard's and the case's tables with any people, forms and times; the promises hold on every path."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from anlan.base.errors import AnlanError

START = datetime(2026, 6, 1, tzinfo=UTC)
PEOPLE = ("owner", "helper", "boss", "clerk")
RIGHTS = {"boss": frozenset({"supervise"}), "clerk": frozenset({"supervise"}), "owner": frozenset({"supervise"})}
WORDS = st.sampled_from(["", "  ", "好"])


class HazardMachine(RuleBasedStateMachine):
    """`owner` and `helper` hold the responsible post; owner even has the right to supervise."""

    def __init__(self):
        super().__init__()
        from anlan.supervise.rules import shipped
        from anlan.supervise.workflows.hazard import HazardWorkflow

        self.flow, self.rules = HazardWorkflow(), shipped()
        self.record = {"state": "found", "major": False, "post_id": None, "rectified_by_id": None, "rechecked_by_id": None, "due_at": None}
        self.now, self.history = START, []

    def step(self, event, who, form):
        from anlan.supervise.contract import Facts, advance

        self.now += timedelta(hours=1)
        own = self.record["post_id"] == "post-1" and who in ("owner", "helper")
        facts = Facts(dict(self.record), who, own, RIGHTS.get(who, frozenset()), self.now, form, self.rules)
        try:
            row = advance(self.flow, facts, event)
        except AnlanError as error:
            assert error.zh and error.en and error.code.startswith("supervise.")
            return
        self.history.append((row, who))
        self.record |= self.flow.effects(row, facts) | {"state": row.next}

    @rule(
        event=st.sampled_from(["grade", "order", "rectify", "recheck", "return", "cancel", "nonsense"]),
        who=st.sampled_from(PEOPLE),
        major=st.sampled_from([True, False, None, "yes"]),
        note=WORDS,
        measures=WORDS,
        money=WORDS,
        plan=WORDS,
        days=st.sampled_from([None, "", 0, -1, 5, 16, 91, "five"]),
        post=st.sampled_from(["", "post-1"]),
    )
    def anything(self, event, who, **form):
        self.step(event, who, form)

    @rule(who=st.sampled_from(PEOPLE))
    def sensible(self, who):
        """The next step with a good form, so that walks get far."""
        form = {"major": True, "note": "好", "measures": "清沟", "money": "1", "plan": "有", "days": 5, "post": "post-1"}
        self.step(self.flow.offered(self.record["state"])[0].event if self.flow.offered(self.record["state"]) else "cancel", who, form)

    @invariant()
    def promises(self):
        record, events = self.record, [row.event for row, _ in self.history]
        if record["state"] == "cancelled":
            assert record["rechecked_by_id"] and record["rechecked_by_id"] not in (record["rectified_by_id"], "owner", "helper")
            assert {"grade", "order", "rectify", "recheck"} <= set(events) and events.count("cancel") == 1
        if record["state"] in ("ordered", "rectifying", "rechecking", "cancelled"):
            assert record["post_id"] and record["due_at"] and record["due_at"] > START
        for row, who in self.history:
            assert row.right == "own" or "supervise" in RIGHTS.get(who, ())
        if record["rechecked_by_id"]:
            assert record["rectified_by_id"] is not None


class TaskMachine(RuleBasedStateMachine):
    """A task ends once; what ended never changes."""

    def __init__(self):
        super().__init__()
        self.state, self.ended = "sent", ""

    @rule(action=st.sampled_from(["accept", "done", "refuse", "cancel", "explode"]))
    def act(self, action):
        from anlan.respond.stage import FINAL, OPEN, next_state

        before = self.state
        try:
            self.state = next_state(self.state, action)
        except AnlanError:
            assert before in FINAL or action == "explode" or (before, action) == ("accepted", "accept")
            return
        assert before in OPEN and self.state != before
        if self.state in FINAL:
            assert not self.ended
            self.ended = self.state

    @invariant()
    def stays_ended(self):
        assert not self.ended or self.state == self.ended


def test_hazard_machine(migrated):
    run_state_machine_as_test(HazardMachine, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))


def test_task_machine(migrated):
    run_state_machine_as_test(TaskMachine, settings=settings(max_examples=40, stateful_step_count=8, deadline=None))
