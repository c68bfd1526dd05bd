"""Federate 贯通: levels and departments joined; nothing of it works yet (see docs/roadmap.md)."""
