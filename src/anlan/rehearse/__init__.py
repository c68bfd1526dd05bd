"""Rehearse 复演: the live judges run over history; in: recorded readings, out: episodes and scores without look-ahead."""
