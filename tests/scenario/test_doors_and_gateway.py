"""Honest reach: a telephone counts only with a gateway, a loudspeaker within its reach, and who nobody reaches gets a knock."""

import json
import stat
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from lazy import Lazy
from live_place import LivePlace

from anlan.base.errors import AnlanError, FieldError

pytestmark = pytest.mark.stack
issue, notify = Lazy("anlan.issue.service"), Lazy("anlan.notify.service")
Notice, Receipt = Lazy("anlan.notify.models", "Notice"), Lazy("anlan.notify.models", "Receipt")
Proposal, Task = Lazy("anlan.issue.models", "Proposal"), Lazy("anlan.respond.models", "Task")
Device, Household = Lazy("anlan.register.models", "Device"), Lazy("anlan.register.models", "Household")
FailedEvent, Outbox = (Lazy("anlan.engines.models", name) for name in ("FailedEvent", "Outbox"))
acting, drain = Lazy("anlan.engines.outbox", "acting"), Lazy("anlan.engines.dispatch", "drain")
doors, respond, asker_of = Lazy("anlan.respond.knocks"), Lazy("anlan.respond.service"), Lazy("anlan.register.scope", "asker_of")
links, ledger = Lazy("anlan.notify.links"), Lazy("anlan.notify.ledger")
MINUTE = timedelta(minutes=1)


def now():
    return datetime.now(UTC)


def settle():
    drain()
    notify.spread_on(now())
    drain()
    assert not FailedEvent.objects.exists(), FailedEvent.objects.first().error


@pytest.fixture
def place(db):
    assert issue.judge and notify.reach and respond.close
    return LivePlace(households=6, silent=2)


def warn(place, grade=3):
    if grade == 4:
        place.forecast(now())
    place.finding(grade, now(), tangent_angle_deg=86 if grade == 4 else 82)
    drain()
    return issue.sign(Proposal.objects.get(state="open").id, place.commander)


def unlinked():
    """Nobody has a link, as before the first warning."""
    with acting("system:test"):
        Notice.objects.filter(warning_id="warn-old").update(reached=0)


def test_a_telephone_that_nothing_calls_reaches_nobody(place):
    unlinked()
    warning = warn(place)
    settle()
    reach = notify.reach(warning.id)
    assert reach["reachable"]["households"] == 0 and reach["nobody"] == {"households": 6, "people": 18} and reach["unknown"] == 6
    assert reach["by"] == {} and reach["silent"] == 0


def test_loudspeaker_within_reach_counts_and_a_failed_one_does_not(place):
    unlinked()
    with acting("system:test"):
        Device.objects.filter(pk=place.speaker.id).update(lon=114.155, lat=22.551, reach_m=25.0)
    warning = warn(place)
    settle()
    reach = notify.reach(warning.id)
    assert reach["by"] == {"loudspeaker": 3} and reach["reachable"]["households"] == 3 and reach["nobody"]["households"] == 3
    assert reach["facts"]["confirmed"] == 0, "a broadcast is nobody's confirmation"
    assert notify.reach(warning.id, now=now() + 6 * MINUTE)["silent"] == 3
    Notice.objects.filter(warning=warning, recipient=place.speaker.id).update(state="failed")
    assert notify.reach(warning.id)["reachable"]["households"] == 0


def test_whom_nobody_reaches_becomes_the_inspectors_door_knock_task(place):
    warning = warn(place)
    settle()
    (task,) = Task.objects.filter(item="knock")
    assert (task.person_id, task.post_id) == (place.people["inspector"].id, place.posts["inspector"].id)
    assert "2 户" in task.title and task.due_at - task.sent_at == 30 * MINUTE
    rows = doors.doors_of(task)
    assert len(rows) == 2 and rows[0]["needs_help"] + rows[1]["needs_help"] == "老人" and task.cause[0] == warning.id
    before = Task.objects.count()
    with acting("system:test"):
        doors.send_knocks(task.incident, warning, now())
    drain()
    assert Task.objects.count() == before, "twice is once"
    inspector = asker_of(place.people["inspector"])
    notify.confirm(rows[0]["notice"], inspector, "当面告知")
    assert notify.reach(warning.id)["unknown"] == 1 and doors.doors_of(task)[0]["fact"] == 3
    respond.done(task.id, inspector, "两户已告知")
    second = issue.update(warning.id, place.commander, text="新情况")
    settle()
    assert Task.objects.filter(item="knock").count() == 1 and second.version == 2, "no second knock for the same doors"


def test_no_inspector_the_community_knocks_and_blue_and_exercises_send_nobody(place):
    with acting("system:test"):
        place.grid.inspector = None
        place.grid.save()
    warning = warn(place)
    settle()
    assert Task.objects.get(item="knock").post_id == place.posts["secretary"].id
    incident = respond.Incident.objects.get()
    warning.grade = 1
    with acting("system:test"):
        Task.objects.filter(item="knock").delete()
        assert doors.send_knocks(incident, warning, now()) == []


# -- the gateway --------------------------------------------------------------------------------------------------------


class Peer(ThreadingHTTPServer):
    """A real HTTP gateway that keeps what it got and answers what it is told to."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.got, self.status, self.said = [], 200, {"data": {"msgid": "m-1"}, "code": 0}


class Answer(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.said).encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def peer():
    server = Peer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


TEMPLATE = """
url = "http://127.0.0.1:{port}/send?to={{phone}}"
[headers]
Authorization = "Bearer hunter2"
[body]
to = ["{{phone}}"]
content = "【安澜】{{text}}{{link}}"
ref = {{ id = "{{id}}", back = "{{callback}}" }}
[answer]
id = "data.msgid"
ok = "code"
ok_is = 0
[receipt]
state = "report.status"
[receipt.states]
DELIVRD = "device"
PRESSED_1 = "confirmed"
UNDELIV = "failed"
"""


@pytest.fixture
def gateway(peer, tmp_path, monkeypatch):
    file = tmp_path / "gateway.toml"
    file.write_text(TEMPLATE.format(port=peer.server_port))
    file.chmod(stat.S_IRUSR | stat.S_IWUSR)
    monkeypatch.setenv("ANLAN_GATEWAY", str(file))
    monkeypatch.setenv("ANLAN_PUBLIC_URL", "https://anlan.example.org/")
    return file


def test_with_a_gateway_a_telephone_counts_and_receipts_come_back(place, peer, gateway):
    unlinked()
    warning = warn(place)
    settle()
    notify.send(now())
    homes = [g for g in peer.got if "/h/" in g[2]["content"]]
    assert len(homes) == 4 and {g[0] for g in homes} == {f"/send?to={g[2]['to'][0]}" for g in homes}
    _, headers, body = homes[0]
    assert headers["Authorization"] == "Bearer hunter2" and headers["Idempotency-Key"] == body["ref"]["id"]
    notice = Notice.objects.get(pk=body["ref"]["id"])
    assert (notice.state, notice.reached, notice.provider_id, notice.channel) == ("sent", 1, "m-1", "gateway")
    reach = notify.reach(warning.id)
    assert reach["by"] == {"gateway": 4} and reach["nobody"]["households"] == 2
    token = body["ref"]["back"].rpartition("/")[2]
    assert body["ref"]["back"].startswith("https://anlan.example.org/api/gateway/receipts/")
    from django.test import Client

    def back(said, to=token):
        answer = Client().post(f"/api/gateway/receipts/{to}", data=json.dumps(said), content_type="application/json")
        return answer.status_code, answer.json()

    assert back({"report": {"status": "DELIVRD"}}) == (200, {"taken": True}) == back({"report": {"status": "DELIVRD"}})
    assert back({"report": {"status": "ODD"}}) == (200, {"taken": False}) == back([1])
    assert back({"report": {"status": "PRESSED_1"}})[0] == 200 and back({"report": {"status": "UNDELIV"}})[0] == 200
    notice.refresh_from_db()
    assert (notice.reached, notice.state) == (3, "sent"), "a late failure does not undo what was confirmed"
    assert Receipt.objects.filter(notice=notice, fact="device").count() == 1 and ledger.verify(warning.id).ok
    assert back({"report": {"status": "DELIVRD"}}, token[:-2] + "zz")[0] == 404
    household = body["content"].rpartition("/h/")[2]
    assert notify.open_household(household)[0].id == notice.recipient, "the link in the message opens its own page"


@pytest.mark.parametrize(
    ("status", "said", "retry"),
    [(500, {}, True), (429, {}, True), (401, {}, True), (400, {}, False), (302, {}, False), (200, {"code": 7}, False), (200, [], False)],
)
def test_refusals_are_told_apart_and_hold_no_secret(gateway, peer, status, said, retry):
    from anlan.notify.channels.gateway import Gateway
    from anlan.notify.contract import Hands, Message

    peer.status, peer.said = status, said
    message = Message("note-1", "p-1", "p", "13800000000", "题", '文"{phone}"', "issue", 4, False, "w", now())
    (outcome,) = Gateway().deliver([message], Hands(lambda *_: ""))
    assert (outcome.state, outcome.retry) == ("failed", retry)
    assert "hunter2" not in outcome.zh + outcome.en and "138" not in outcome.zh + outcome.en
    assert peer.got[0][2]["content"] == '【安澜】文"{phone}"', "texts are never read as templates"
    peer.shutdown()
    peer.server_close()
    (away,) = Gateway().deliver([message], Hands(lambda *_: ""))
    assert away.retry and "cannot be reached" in away.en


@pytest.mark.parametrize(
    ("old", "new"),
    [("url = ", "url ="), ("[body]", "[body"), ("http://", "ftp://"), ('"device"', '"seen"'), ("{text}", "{secret}"), ("{phone}", "x")],
)
def test_a_template_that_cannot_be_taken_says_which_key(gateway, old, new):
    from anlan.notify.channels import gateway as module

    if old == "url = ":
        assert module.template()["url"]
        return
    gateway.write_text(gateway.read_text().replace(old, new))
    with pytest.raises(FieldError) as bad:
        module._read(str(gateway), hash(new))
    assert bad.value.code == "notify.bad_gateway" and "hunter2" not in str(bad.value)


def test_off_unless_configured(monkeypatch):
    from anlan.notify.channels.gateway import Gateway

    monkeypatch.delenv("ANLAN_GATEWAY", raising=False)
    assert Gateway().address_of({"phone": "1"}) == ""
    with pytest.raises(AnlanError):
        links.receipt_of("forged")
