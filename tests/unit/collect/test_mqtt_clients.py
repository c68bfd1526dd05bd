"""Real clients: paho-mqtt, aiomqtt, and mosquitto's tools where they are installed."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading

import pytest

from .gateway_kit import HOUR, letters, message, stored, until

pytestmark = pytest.mark.stack


def test_paho_publishes_and_reconnects(house):
    import paho.mqtt.client as paho

    device = house.device()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=device["client_id"], protocol=paho.MQTTv311)
    client.username_pw_set(device["username"], device["secret"])
    host, port = house.gateway.at("mqtt")
    for _ in range(2):
        client.connect(host, port, keepalive=10)
        client.loop_start()
        sent = [client.publish(f"up/{device['client_id']}", json.dumps(message({"tilt": i}, i)), qos=1) for i in range(50)]
        for info in sent:
            info.wait_for_publish(5)
        client.disconnect()
        client.loop_stop()
    assert sum(row[0] == device["station"] for row in stored(house.log)) == 100


def test_aiomqtt_hears_a_command_and_replies(house):
    import aiomqtt
    from django.utils import timezone

    from anlan.collect.service import command
    from anlan.register.models import Device

    device = house.device("siren")
    host, port = house.gateway.at("mqtt")
    sent: list[str] = []

    def send() -> None:
        sent.append(command(Device.objects.get(pk=device["id"]), "siren_on", {"seconds": 3}, timezone.now() + HOUR).id)

    async def story() -> None:
        async with aiomqtt.Client(
            host, port, identifier=device["client_id"], username=device["username"], password=device["secret"]
        ) as client:
            await client.subscribe(f"down/{device['client_id']}", qos=1)
            sender = threading.Thread(target=send)
            sender.start()
            async for heard in client.messages:
                said = json.loads(heard.payload)
                assert said["action"] == "siren_on" and said["seconds"] == 3
                await asyncio.to_thread(sender.join)  # the device may hear it before the sender has returned
                assert said["id"] == sent[0]
                await client.publish(f"reply/{device['client_id']}", json.dumps({"id": said["id"], "state": "done"}), qos=1)
                return

    asyncio.run(asyncio.wait_for(story(), 10))
    [(state, reply)] = house.rows("select state, reply from collect_devicecommand where id = %s", sent[0])
    assert state == "done" and reply["state"] == "done"


@pytest.mark.skipif(not shutil.which("mosquitto_pub"), reason="mosquitto_pub is not installed (apt install mosquitto-clients)")
def test_mosquitto_tools(house):
    device = house.device()
    host, port = house.gateway.at("mqtt")
    who = ["-h", host, "-p", str(port), "-i", device["client_id"], "-u", device["username"], "-P", device["secret"], "-V", "mqttv311"]
    body = json.dumps(message({"tilt": 1}))
    subprocess.run(["mosquitto_pub", *who, "-q", "1", "-t", f"up/{device['client_id']}", "-m", body], check=True, timeout=10)
    assert any(row[0] == device["station"] for row in stored(house.log))
    heard = subprocess.run(
        ["mosquitto_sub", *who, "-q", "1", "-t", "#", "-W", "2"], capture_output=True, text=True, timeout=10, check=False
    )
    assert heard.returncode != 0 or "denied" in heard.stderr.lower()
    assert until(lambda: ("collect.foreign_filter", device["client_id"]) in {(c, d) for c, d, _ in letters(house.database)})
