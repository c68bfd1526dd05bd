"""What web keeps: script tokens (hashed) and failed log-ins."""

from __future__ import annotations

from django.db import models


class ApiToken(models.Model):
    """A bearer token of a person; only its SHA-256 is stored (the token itself has 256 random bits)."""

    hash = models.CharField(max_length=64, primary_key=True)
    person = models.ForeignKey("register.Person", on_delete=models.CASCADE, related_name="tokens")
    name = models.TextField(default="")  # what it is for
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)


class LoginFailure(models.Model):
    """One failed log-in: counted per account and per address by all web processes together."""

    id = models.BigAutoField(primary_key=True)
    account = models.TextField()
    address = models.TextField()
    at = models.DateTimeField(auto_now_add=True, db_index=True)


class LetterDone(models.Model):
    """A dead letter that the operator has dealt with: no longer in the queue, still in the ledger."""

    letter = models.OneToOneField("collect.DeadLetter", primary_key=True, on_delete=models.CASCADE, related_name="done")
    person = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    note = models.TextField(default="", blank=True)
