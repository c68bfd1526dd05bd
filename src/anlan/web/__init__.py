"""Web 一张图: the typed HTTP API, the live stream, tiles, log-in; serves the built ui.

In: browsers and scripts with a session or a token. Out: only what the person's area and post
allow. What can go wrong: no right (403 names who can grant it), the database is away (503
with the time of the next try; the page keeps its last picture).
"""
