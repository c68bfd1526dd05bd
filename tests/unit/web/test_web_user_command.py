"""``anlan user`` on a real database."""

from __future__ import annotations

import io

import pytest


@pytest.fixture
def anlan(db, monkeypatch, capsys):
    from anlan.cli import main

    def call(*arguments: str, stdin: str = ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = main(["user", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_add_log_in_reset_token_disable(anlan):
    from django.test import Client

    code, out, _ = anlan(
        "add", "wang", "--name", "王值守", "--role", "duty", "--division", "440303000000", "--password-stdin", stdin="Lantern-77-hill\n"
    )
    assert code == 0 and "person-" in out
    browser = Client()
    given = {"username": "wang", "password": "Lantern-77-hill"}
    me = browser.post("/api/login", given, content_type="application/json").json()
    assert me["roles"][0]["role"] == "duty" and me["scopes"] == ["440303"]
    token = anlan("token", "wang")[1].strip()
    assert Client(headers={"Authorization": f"Bearer {token}"}).get("/api/me").status_code == 200
    assert anlan("passwd", "wang", "--password-stdin", stdin="Another-88-river\n")[0] == 0
    assert Client(headers={"Authorization": f"Bearer {token}"}).get("/api/me").status_code == 401
    assert Client().post("/api/login", given, content_type="application/json").status_code == 401
    assert "duty@440303" in anlan("list")[1]
    anlan("disable", "wang")
    given["password"] = "Another-88-river"
    assert Client().post("/api/login", given, content_type="application/json").status_code == 401


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("add", "li", "--role", "duty", "--division", "44", "--password-stdin"), "short\n", "password"),
        (("add", "li", "--role", "king", "--division", "44", "--password-stdin"), "Lantern-77-hill\n", "role"),
        (("add", "li", "--role", "duty", "--division", "4x", "--password-stdin"), "Lantern-77-hill\n", "division"),
        (("add", "li", "--password-stdin"), "Lantern-77-hill\n", "role"),
        (("add", "li", "--person", "person-none", "--password-stdin"), "Lantern-77-hill\n", "person"),
        (("passwd", "nobody", "--password-stdin"), "x\n", "nobody"),
    ],
)
def test_wrong_use_says_what_to_change(anlan, arguments, stdin, said):
    from django.contrib.auth import get_user_model

    code, _, err = anlan(*arguments, stdin=stdin)
    assert code == 1 and said in err.lower()
    assert not get_user_model().objects.filter(username="li").exists()
