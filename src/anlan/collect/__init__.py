"""Collect 感知: bytes from devices become readings.

In: sockets (MQTT, HTTP push, framed TCP, replayed files). Out: `ReadingBlock` frames in the
durable log of each lane, answered to the device only then; raw replies and dead letters
with the reason; commands down to devices. What can go wrong: wrong credential, foreign
topic, bad payload, log away; each has its answer and its count on screen.
"""
