"""The register's commands."""
