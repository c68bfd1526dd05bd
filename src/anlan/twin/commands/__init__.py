"""CLI verbs of this room, found by scan."""
