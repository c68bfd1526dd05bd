"""Measurements, one module each: ``run(args) -> figures``; only in a checkout."""
