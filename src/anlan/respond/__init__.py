"""Respond 指挥: warnings and calls become incidents, and incidents become tasks with deadlines.

In: signed warnings, answered calls. Out: one incident with one timeline of everything, tasks
for responsible people, escalation when a task is late. What can go wrong: nobody takes a
task (the reconciler escalates it to the next level and says so).
"""
