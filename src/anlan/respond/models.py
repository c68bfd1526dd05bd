"""What respond keeps."""

from __future__ import annotations

from django.db import models

from ..engines.records import Ledger, Record, label

L = label


class Incident(Record):
    """One incident; ``cause`` holds the ids of all its warnings. States: open, closed. Read-only once closed (a trigger says so)."""

    KIND = "inc"
    title = models.TextField(verbose_name=L("事件", "Incident"))
    title_en = models.TextField(default="")
    hazard = models.TextField(verbose_name=L("灾种", "Hazard"))
    site = models.ForeignKey("register.Site", null=True, on_delete=models.SET_NULL, verbose_name=L("地点", "Site"))
    grade = models.SmallIntegerField(default=0, verbose_name=L("最高等级", "Worst grade"))
    warning_series = models.TextField(default="", db_index=True)
    plan_version = models.TextField(default="", verbose_name=L("预案版本", "Plan version"))
    exercise = models.BooleanField(default=False, verbose_name=L("演练", "Exercise"))
    state = models.CharField(max_length=8, default="open", db_index=True, verbose_name=L("状态", "State"))
    opened_at = models.DateTimeField(verbose_name=L("开始", "Opened"))
    closed_at = models.DateTimeField(null=True, verbose_name=L("结束", "Closed"))
    closed_by = models.ForeignKey(
        "register.Person", null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=L("结束人", "Closed by")
    )
    review = models.TextField(default="", blank=True, verbose_name=L("评估", "Review"))
    LEDGER = Ledger(
        "突发事件",
        "Incidents",
        ("opened_at", "title", "hazard", "grade", "state", "closed_at"),
        ("state", "hazard"),
        ("title",),
        ("-opened_at",),
        right="command",
        group=("指挥", "Command"),
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "hazard", "exercise"], condition=models.Q(state="open"), name="incident_one_open")
        ]


class TimelineEntry(models.Model):
    """One line of an incident's timeline; append-only, each with the id of what it tells."""

    AUDIT = "append"

    id = models.BigAutoField(primary_key=True)
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="timeline")
    at = models.DateTimeField()
    kind = models.TextField()
    subject = models.TextField()
    actor = models.TextField(default="")
    zh = models.TextField()
    en = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "kind", "subject"], name="timeline_once")]


class Task(Record):
    """Something one person must do by a time. States: sent, accepted, done, refused, cancelled; late is computed.

    ``item`` is the key in the plan. ``escalated`` is 1 once it was late and handed up; the task that
    took over names it in ``instead_of`` and ``cause``.
    """

    KIND = "task"
    incident = models.ForeignKey(Incident, null=True, on_delete=models.CASCADE, related_name="tasks", verbose_name=L("事件", "Incident"))
    title = models.TextField(verbose_name=L("任务", "Task"))
    title_en = models.TextField(default="")
    post = models.ForeignKey("register.Post", on_delete=models.PROTECT, verbose_name=L("责任岗位", "Post"))
    person = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, verbose_name=L("责任人", "Person"))
    level = models.CharField(max_length=12, default="", verbose_name=L("层级", "Level"))
    item = models.TextField(default="", blank=True, verbose_name=L("预案条目", "Plan item"))
    plan_version = models.TextField(default="", blank=True, verbose_name=L("预案版本", "Plan version"))
    instead_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="taken_over_by")
    state = models.CharField(max_length=10, default="sent", db_index=True, verbose_name=L("状态", "State"))
    sent_at = models.DateTimeField(verbose_name=L("派出", "Sent"))
    due_at = models.DateTimeField(db_index=True, verbose_name=L("时限", "Due"))
    accepted_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    result = models.TextField(default="", blank=True, verbose_name=L("结果", "Result"))
    escalated = models.SmallIntegerField(default=0)
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    LEDGER = Ledger(
        "任务",
        "Tasks",
        ("due_at", "title", "post", "person", "state", "done_at"),
        ("state",),
        ("title",),
        ("due_at",),
        right="command",
        group=("指挥", "Command"),
    )


class Shift(Record):
    """Who is on duty from when to when."""

    KIND = "shift"
    person = models.ForeignKey("register.Person", on_delete=models.CASCADE, verbose_name=L("值守员", "Officer"))
    role = models.CharField(max_length=20, default="duty", verbose_name=L("角色", "Role"))
    starts_at = models.DateTimeField(verbose_name=L("开始", "Starts"))
    ends_at = models.DateTimeField(verbose_name=L("结束", "Ends"))
    LEDGER = Ledger(
        "值班",
        "Shifts",
        ("starts_at", "ends_at", "person", "role"),
        ("role",),
        (),
        ("-starts_at",),
        ("person", "role", "starts_at", "ends_at"),
        right="command",
        group=("指挥", "Command"),
    )
