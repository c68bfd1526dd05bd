"""CLI verbs that join rooms: up, desk, prepare."""
