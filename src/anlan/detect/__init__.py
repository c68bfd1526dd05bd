"""Detect 研判: readings become findings.

In: the frames, ticks and settings of one lane of the log, in order. Out: stored readings
with their quality, latest values, findings with evidence, snapshots; all in one transaction
with the lane's cursor. What can go wrong: a worker dies (another takes the lane and replays
to the cursor without side effects, bit-equal), the database goes (nothing is acknowledged).
"""
