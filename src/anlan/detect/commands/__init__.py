"""CLI verbs of detect: worker."""
