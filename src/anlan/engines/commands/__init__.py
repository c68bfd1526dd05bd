"""CLI verbs of the engines: doctor, backup, restore, migrate."""
