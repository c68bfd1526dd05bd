import asyncio
import threading
from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest
from lazy import Lazy
from live_place import LivePlace

from anlan.base.errors import AnlanError

pytestmark = pytest.mark.stack
issue, notify = Lazy("anlan.issue.service"), Lazy("anlan.notify.service")
ledger, calls = Lazy("anlan.notify.ledger"), Lazy("anlan.notify.calls")
Notice, Receipt, CallChain, CallStep, Spread, ReceiptHead = (
    Lazy("anlan.notify.models", n) for n in ("Notice", "Receipt", "CallChain", "CallStep", "Spread", "ReceiptHead")
)
DeviceCommand, Proposal = Lazy("anlan.collect.models", "DeviceCommand"), Lazy("anlan.issue.models", "Proposal")
FailedEvent, Outbox = (Lazy("anlan.engines.models", name) for name in ("FailedEvent", "Outbox"))
acting, emit, drain = (
    Lazy("anlan.engines.outbox", "acting"), Lazy("anlan.engines.outbox", "emit"), Lazy("anlan.engines.dispatch", "drain"),
)  # fmt: skip
asker_of = Lazy("anlan.register.scope", "asker_of")
MINUTE = timedelta(minutes=1)


def now():
    return datetime.now(UTC)


def settle(when=None):
    """Hand over all events and make all household slices."""
    drain()
    notify.spread_on(when or now())
    drain()
    assert not FailedEvent.objects.exists(), FailedEvent.objects.first().error


def subscribe():
    """Import the rooms under test, so that their handlers hear."""
    assert issue.judge and notify.reach


@pytest.fixture
def place(db):
    subscribe()
    return LivePlace()


def warn(place, red=True):
    if red:
        place.forecast(now())
    place.finding(4 if red else 3, now(), tangent_angle_deg=86 if red else 82)
    drain()
    return issue.sign(Proposal.objects.get(state="open").id, place.commander)


def events(kind):
    return list(Outbox.objects.filter(type=kind).order_by("id"))


def step(n):
    return CallStep.objects.get(order=n)


def device_says(command, what, state):
    with acting("system:gateway"):
        DeviceCommand.objects.filter(pk=command.pk).update(acked_at=now(), state=state)
        emit(f"collect.command.{what}", command.id, {"device": command.device_id, "state": state, "reply": {}}, key=f"{command.id}{state}")
    drain()


def test_a_red_warning_tells_everybody_and_counts_honestly(place):
    warning = warn(place)
    settle()
    by_kind = {}
    for notice in Notice.objects.filter(warning=warning):
        by_kind.setdefault(notice.recipient.partition("-")[0], []).append(notice)
    assert len(by_kind["household"]) == 4 and len(by_kind["device"]) == 2 and len(by_kind["person"]) == 1
    assert not Notice.objects.filter(recipient="household-far").exists()
    reach = notify.reach(warning.id)
    assert reach["listed"] == {"households": 4, "people": 12} and reach["reachable"]["households"] == 3 and reach["unknown"] == 1
    assert reach["facts"] == {"channel": 3, "device": 0, "confirmed": 0, "acted": 0} and reach["silent"] == 0
    assert notify.reach(warning.id, now=now() + 6 * MINUTE)["silent"] == 3
    assert {(c.device_id, c.action) for c in DeviceCommand.objects.all()} == {(place.siren.id, "siren_on"), (place.speaker.id, "play")}
    assert ledger.verify(warning.id).ok
    before = Notice.objects.count(), Receipt.objects.count(), Outbox.objects.count()
    with acting("system:test"):
        Spread.objects.update(done_at=None, after="")
    settle()
    assert (Notice.objects.count(), Receipt.objects.count(), Outbox.objects.count()) == before, "a slice done twice changes nothing"


def test_households_answer_by_their_link_and_the_inspector_at_the_door(place):
    warning = warn(place)
    settle()
    rows = {n.address or n.recipient: n for n in Notice.objects.filter(recipient__startswith="household-")}
    reachable = next(n for n in rows.values() if n.channel == "inbox")
    unreachable = next(n for n in rows.values() if n.channel == "none")
    token = notify.household_link(reachable.recipient)
    household, messages = notify.open_household(token)
    assert household.id == reachable.recipient and messages[0].warning_id == warning.id
    assert notify.reach(warning.id)["facts"]["device"] == 1
    assert notify.household_says(token, "confirmed").reached == 3
    notify.household_says(token, "confirmed")
    assert Receipt.objects.filter(notice=reachable, fact="confirmed").count() == 1
    with pytest.raises(AnlanError) as forged:
        notify.open_household(token[:-1] + ("A" if token[-1] != "A" else "B"))
    assert forged.value.code == "notify.no_such_link"
    inspector = asker_of(place.people["inspector"])
    assert notify.act(unreachable.id, inspector, "已带离").reached == 4
    reach = notify.reach(warning.id)
    assert reach["unknown"] == 0 and reach["facts"]["acted"] == 1 and reach["reachable"]["households"] == 3
    assert all(d["id"] != unreachable.recipient for d in reach["door_list"])
    assert ledger.verify(warning.id).ok


def test_loudspeakers_give_device_facts_and_never_a_confirmation(place):
    warning = warn(place)
    settle()
    speaker = DeviceCommand.objects.get(action="play")
    device_says(speaker, "acknowledged", "acknowledged")
    device_says(speaker, "replied", "playing")
    device_says(speaker, "replied", "done")
    notice = Notice.objects.get(provider_id=speaker.id)
    assert notice.reached == 2
    assert list(notice.receipts.order_by("seq").values_list("fact", flat=True)) == ["channel", "device", "device", "device"]
    row = next(c for c in notify.reach(warning.id)["channels"] if c["name"] == "loudspeaker")
    assert (row["listed"], row["facts"]["device"], row["played"], row["facts"]["confirmed"]) == (2, 1, 1, 0)
    with pytest.raises(AnlanError) as refused:
        notify.confirm(notice.id, place.commander)
    assert refused.value.code == "notify.broadcast_is_no_person"
    siren = DeviceCommand.objects.get(action="siren_on")
    device_says(siren, "expired", "expired")
    assert Notice.objects.get(provider_id=siren.id).state == "failed"


def test_the_siren_of_a_standing_order_is_not_started_twice(place):
    place.order(grade=4)
    place.forecast(now())
    place.finding(4, now())
    drain()
    first = DeviceCommand.objects.get(action="siren_on")
    device_says(first, "acknowledged", "acknowledged")
    warning = issue.sign(Proposal.objects.get(state="open").id, place.commander)
    settle()
    assert DeviceCommand.objects.filter(action="siren_on").count() == 1
    notice = Notice.objects.get(provider_id=first.id)
    assert notice.warning_id == warning.id and notice.reached == 2, "what it said before the signature counts"


def test_silence_calls_the_next_until_somebody_answers(place):
    warning = warn(place)
    settle()
    assert [s.state for s in CallStep.objects.order_by("order")] == ["calling", "waiting", "waiting"]
    first = step(1)
    assert first.deadline - first.called_at == 3 * MINUTE and first.cause[0] == first.chain_id
    assert notify.call_next(now() + timedelta(seconds=179)) == 0
    notify.call_next(now() + timedelta(seconds=182))
    drain()
    assert [s.state for s in CallStep.objects.order_by("order")] == ["timed_out", "calling", "waiting"]
    assert events("notify.step.timed_out")[0].subject == first.id
    secretary = asker_of(place.people["secretary"])
    assert [s.id for s in calls.mine(secretary)] == [step(2).id]
    notify.answer(step(2).id, secretary, True, "五分钟到")
    assert [s.state for s in CallStep.objects.order_by("order")] == ["timed_out", "answered", "cancelled"]
    assert CallChain.objects.get().answered_by_id == place.people["secretary"].id
    assert notify.call_next(now() + timedelta(hours=1)) == 0, "an answer stops everything pending"
    with pytest.raises(AnlanError) as late:
        notify.answer(first.id, asker_of(place.people["inspector"]), True)
    assert late.value.code == "notify.already_answered" and late.value.facts["by_name"] == "secretary"
    with pytest.raises(AnlanError):
        notify.answer(step(3).id, secretary, True)
    assert Notice.objects.get(recipient=place.people["secretary"].id, channel="inbox", warning=warning).reached == 3


def test_refusal_passes_on_at_once_and_nobody_left_tells_the_desk(place):
    warn(place)
    settle()
    notify.answer(step(1).id, asker_of(place.people["inspector"]), False, "不在本地")
    assert step(2).state == "calling"
    notify.answer(step(2).id, place.duty, False, "电话无人接")
    notify.call_next(now() + 4 * MINUTE)
    drain()
    chain = CallChain.objects.get()
    assert chain.state == "exhausted" and events("notify.chain.exhausted")[0].subject == chain.id
    assert len(events("notify.step.refused")) == 2
    told = set(Notice.objects.filter(title__startswith="叫应无人应答").values_list("recipient_name", flat=True))
    assert told == {"commander", "duty"}
    notify.answer(step(3).id, asker_of(place.people["street"]), True, "刚看到")
    chain.refresh_from_db()
    assert chain.state == "answered", "a late yes still counts"


def test_the_substitute_is_called_for_somebody_on_leave(place):
    with acting("system:test"):
        inspector = place.people["inspector"]
        inspector.on_leave, inspector.substitute = True, place.people["duty"]
        inspector.save()
    warn(place)
    settle()
    assert step(1).person_id == place.people["duty"].id and step(1).stands_in_for


def test_an_upgrade_calls_anew_and_a_lift_tells_everybody_and_stops_all(place):
    first = warn(place, red=False)
    settle()
    place.forecast(now())
    place.finding(4, now() + timedelta(seconds=1))
    drain()
    second = issue.sign(Proposal.objects.get(state="open").id, place.commander)
    settle()
    assert CallChain.objects.get(warning=first).state == "cancelled" and CallChain.objects.get(warning=second).state == "calling"
    smaller = {"type": "Polygon", "coordinates": [[[114.15, 22.55], [114.151, 22.55], [114.151, 22.551], [114.15, 22.55]]]}
    third = issue.update(second.id, place.commander, area=smaller, reason="缩小")
    settle()
    assert Notice.objects.filter(warning=third, recipient__startswith="household-").count() == 4, "who was told is told again"
    last = issue.lift(third.id, place.commander, "险情解除")
    settle()
    assert not CallChain.objects.filter(state="calling").exists() and not CallStep.objects.filter(state__in=("waiting", "calling")).exists()
    told = set(Notice.objects.filter(warning=second).values_list("recipient", "channel"))
    assert told <= set(Notice.objects.filter(warning=last).values_list("recipient", "channel"))
    assert {c.action for c in DeviceCommand.objects.filter(cause__contains=[last.id])} == {"play", "siren_off"}


def test_tampering_with_the_ledger_is_found(place):
    from django.db import DatabaseError, connection, transaction

    warning = warn(place)
    settle()
    row = Receipt.objects.filter(warning=warning).order_by("seq")[1]
    with pytest.raises(DatabaseError), transaction.atomic():
        Receipt.objects.filter(pk=row.pk).update(reported_by="somebody else")
    with pytest.raises(DatabaseError), transaction.atomic():
        Receipt.objects.filter(pk=row.pk).delete()
    with connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")  # as a superuser could
        cursor.execute("update notify_receipt set fact = 'acted' where id = %s", [row.pk])
    assert (ledger.verify(warning.id).ok, ledger.verify(warning.id).broken_at) == (False, row.seq)
    with connection.cursor() as cursor:
        cursor.execute("update notify_receipt set fact = %s where id = %s", [row.fact, row.pk])
        assert ledger.verify(warning.id).ok
        cursor.execute("delete from notify_receipt where warning_id = %s and seq = (select max(seq) from notify_receipt)", [warning.id])
    assert not ledger.verify(warning.id).ok, "a cut-off tail"
    with connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = origin")


class Relay:
    """A real SMTP server that keeps what it gets; `refuse` makes it answer 451 to so many messages, `never` 550."""

    def __init__(self, refuse: int = 0):
        self.mails, self.refuse = [], refuse

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("street"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            self.refuse -= 1
            return "451 come back later"
        self.mails.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 taken"


@pytest.fixture
def relay(monkeypatch):
    from aiosmtpd.smtp import SMTP

    handler, loop, ready = Relay(), asyncio.new_event_loop(), threading.Event()
    port = []

    def run():
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(loop.create_server(lambda: SMTP(handler, loop=loop), "127.0.0.1", 0))
        port.append(server.sockets[0].getsockname()[1])
        ready.set()
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(5)
    monkeypatch.setenv("ANLAN_SMTP_URL", f"smtp://127.0.0.1:{port[0]}")
    yield handler
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def test_mail_goes_to_a_real_relay_is_retried_and_given_up(place, relay):
    relay.refuse = 1
    warning = warn(place)
    settle()
    mail = Notice.objects.get(channel="email")
    assert mail.state == "queued"
    notify.send(now())
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == ("queued", 1) and "451" in mail.error and mail.next_at > now()
    assert notify.send(now()) == 0, "not before its time"
    notify.send(now() + timedelta(seconds=6))
    mail.refresh_from_db()
    assert mail.state == "sent" and mail.reached == 1 and len(relay.mails) == 1
    to, text = relay.mails[0]
    assert to == ["inspector@example.org"] and f"{mail.id}.2@" in text
    notify.call_next(now() + 4 * MINUTE)
    notify.call_next(now() + 8 * MINUTE)
    notify.send(now() + 9 * MINUTE)
    bad = Notice.objects.get(channel="email", recipient=place.people["street"].id)
    assert bad.state == "failed" and "550" in bad.error and bad.receipts.get().fact == "failed"
    assert ledger.verify(warning.id).ok


def test_a_dead_sender_loses_nothing_and_expiry_stops_retries(place, relay):
    warning = warn(place)
    settle()
    with acting("system:test"):
        from anlan.notify import delivery

        assert len(delivery.claim(now())) == 1
    assert notify.send(now()) == 0
    assert notify.free_stuck(now() + timedelta(seconds=60)) == 0
    assert notify.free_stuck(now() + timedelta(seconds=130)) == 1
    assert notify.send(warning.expires_at + MINUTE) == 1
    assert Notice.objects.get(channel="email").state == "expired" and not relay.mails


def test_an_exercise_never_sounds_nor_reaches_households(place):
    place.forecast(now())
    place.finding(4, now())
    drain()
    warning = issue.sign(Proposal.objects.get(state="open").id, place.commander, exercise=True)
    settle()
    assert not DeviceCommand.objects.exists()
    found = list(Notice.objects.filter(warning=warning))
    assert [n.recipient_name for n in found] == ["inspector"] and found[0].title.startswith("【演练】")


def test_ten_thousand_households_in_thirty_seconds(db):
    subscribe()
    place = LivePlace(households=10_000, silent=100)
    warning = warn(place)
    drain()
    began = perf_counter()
    notify.spread_on(now())
    spent = perf_counter() - began
    drain()
    assert Notice.objects.filter(warning=warning, recipient__startswith="household-").count() == 10_000
    assert Receipt.objects.filter(fact="channel", notice__recipient__startswith="household-").count() == 9_900
    assert spent < 30, spent
    began = perf_counter()
    reach = notify.reach(warning.id)
    read = perf_counter() - began
    assert reach["unknown"] == 100 and reach["reachable"]["households"] == 9_900
    print(f"10,000 households told in {spent:.1f} s; reach read in {read:.2f} s; verify {ledger.verify(warning.id).rows} rows")
    assert ledger.verify(warning.id).ok


def test_the_whole_state_of_a_chain_survives_a_repeat_of_events(place):
    warn(place)
    settle()
    before = CallStep.objects.count(), Notice.objects.count(), Outbox.objects.count()
    from anlan.engines.outbox import Event

    row = Outbox.objects.get(type="issue.warning.issued")
    with acting("system:test"):
        notify.warning_issued(Event(row.id, row.type, row.subject, row.payload, row.division_code, tuple(row.cause)))
    assert (CallStep.objects.count(), Notice.objects.count(), Outbox.objects.count()) == before
