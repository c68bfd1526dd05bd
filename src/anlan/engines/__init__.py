"""Engines 引擎: the real machines under the house, started here or attached by URL.

In: settings. Out: a running message log (NATS JetStream) and database (PostgreSQL), the
`Record` base of all ledgers, the outbox/inbox that carries events between rooms exactly
once, the audit trail, back-up and restore. What can go wrong: an engine is away
(`EngineAway`, retried), a disk is full, a port is taken; each says what to do.
"""
