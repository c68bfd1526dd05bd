"""Commands of this room, found by scan."""
