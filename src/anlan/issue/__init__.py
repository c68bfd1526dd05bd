"""Issue 预警: evidence is fused and graded, a named person signs, a warning stands.

In: finding and forecast events, signed standing orders, people's decisions. Out: proposals,
signed hazard warnings (versions: issued, updated, upgraded, downgraded, lifted, expired) and
their CAP 1.2 form. What can go wrong: nobody decides in time (the deadline is chased),
evidence gets worse while a proposal waits (it is raised in place, never lowered by it).
"""
