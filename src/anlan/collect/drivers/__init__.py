"""Plug-ins of this room, found by scan: one file or folder each."""
