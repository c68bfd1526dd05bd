"""Channels, one file each, found by scan."""
