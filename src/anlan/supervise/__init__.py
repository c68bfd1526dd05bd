"""Supervise 责任: hidden dangers are found, rectified, re-checked, cancelled; lateness has an owner.

In: warnings, findings, inspections, tasks and calls with their deadlines. Out: hazards with
their six steps, accountability cases for what was late or silent, each with its causes back
to the reading. What can go wrong: a deadline passes (the reconciler marks it and tells the
next level), the re-checker is the rectifier (refused, with the reason).
"""
