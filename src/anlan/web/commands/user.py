"""``anlan user``: log-ins, from the machine's own terminal (no web session needed)."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from ...base.errors import AnlanError, FieldError
from ...engines import project

HELP = ("账号：add / passwd / list / token / disable", "accounts: add / passwd / list / token / disable")
ACTOR = "system:anlan user"


def arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-verb and its options."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    add = verbs.add_parser("add", help="a log-in, with a new person and post (or --person for one that is there)")
    add.add_argument("username")
    add.add_argument("--name", default="", help="the person's name (default: the user name)")
    add.add_argument("--person", default="", help="id of a person that is already registered")
    add.add_argument("--role", default="", help="role of the post: commander duty analyst supervisor responder registrar admin")
    add.add_argument("--division", default="", help="division code of the post: the area that is seen")
    add.add_argument("--superuser", action="store_true", help="may use /admin")
    for verb, text in (("passwd", "a new password"), ("token", "a bearer token for scripts, shown once"), ("disable", "no more log-in")):
        verbs.add_parser(verb, help=text).add_argument("username")
    for verb in ("add", "passwd"):
        verbs.choices[verb].add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    verbs.choices["token"].add_argument("--days", type=float, default=None, help="valid so many days (default: until revoked)")
    verbs.add_parser("list", help="all log-ins")


def run(args: argparse.Namespace) -> int:
    """Do it; errors say what to change."""
    project.setup()
    return int({"add": _add, "passwd": _passwd, "list": _list, "token": _token, "disable": _disable}[args.verb](args) or 0)


def _password(args: argparse.Namespace, user: Any) -> str:
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    from ..errors import field_errors

    if args.password_stdin:
        given = sys.stdin.readline().rstrip("\n")
    else:
        given = getpass.getpass("口令 Password: ")
        if given != getpass.getpass("再输一次 Again: "):
            raise FieldError("password", "…", "两次输入不同", "the two do not match")
    try:
        validate_password(given, user)
    except ValidationError as error:
        raise field_errors(error) from None
    return given


def _user(username: str) -> Any:
    from django.contrib.auth import get_user_model

    found = get_user_model().objects.filter(username=username).first()
    if found is None:
        raise AnlanError(
            "web.no_such_user", f"没有账号 {username}；用 anlan user list 查看", f"no account {username}; see `anlan user list`"
        )
    return found


def _add(args: argparse.Namespace) -> None:
    from django.contrib.auth import get_user_model

    from ...engines.outbox import acting
    from ...register import service
    from ...register.models import Organisation, Person

    if get_user_model().objects.filter(username=args.username).exists():
        raise FieldError(
            "username", args.username, "已有此账号；改口令用 anlan user passwd", "is taken; `anlan user passwd` resets its password"
        )
    if not args.person and not (args.role and args.division):
        raise FieldError("role", args.role, "新人员需要 --role 与 --division", "a new person needs --role and --division")
    password = _password(args, get_user_model()(username=args.username))
    with acting(ACTOR):
        person = Person.objects.filter(pk=args.person).first() if args.person else None
        if args.person and person is None:
            raise FieldError("person", args.person, "没有此人员", "no such person")
        if person is None:
            person = service.create_person(args.name or args.username, args.division, actor=ACTOR)
        if args.role:
            code = args.division or person.division_code
            home = Organisation.objects.filter(division_code=code).order_by("created_at").first()
            home = home or Organisation.objects.create(name=f"{code} 应急管理", division_code=code)
            service.create_post(f"{person.name}（{args.role}）", home, args.role, code, actor=ACTOR, person=person)
        service.create_user(person, args.username, password, actor=ACTOR, staff=args.superuser)
    print(f"{args.username}\t{person.pk}\t{person.name}")


def _passwd(args: argparse.Namespace) -> None:
    from ..models import ApiToken, LoginFailure

    user = _user(args.username)
    user.set_password(_password(args, user))
    user.is_active = True
    user.save()
    ended = ApiToken.objects.filter(person__user=user).delete()[0]
    LoginFailure.objects.filter(account=args.username.lower()).delete()
    print(f"口令已改；{ended} 个令牌已失效 · password changed, {ended} tokens ended")


def _disable(args: argparse.Namespace) -> None:
    from ..models import ApiToken

    user = _user(args.username)
    user.is_active = False
    user.save(update_fields=["is_active"])
    ApiToken.objects.filter(person__user=user).delete()
    print(f"{args.username}：已停用 · disabled")


def _token(args: argparse.Namespace) -> None:
    from ...register.models import Person
    from ..tokens import make_token

    person = Person.objects.filter(user=_user(args.username)).first()
    if person is None:
        raise AnlanError("web.no_right_person", "此账号没有对应人员", "this account is not tied to a person")
    print(make_token(person, "anlan user token", days=args.days))


def _list(args: argparse.Namespace) -> None:
    from django.contrib.auth import get_user_model

    from ...register.models import Person

    people = {p.user_id: p for p in Person.objects.filter(user__isnull=False).prefetch_related("posts")}
    for user in get_user_model().objects.order_by("username"):
        person = people.get(user.pk)
        posts = ", ".join(f"{p.role}@{p.division_code}" for p in person.posts.all()) if person else "-"
        flags = ("停用 disabled " if not user.is_active else "") + ("/admin" if user.is_superuser else "")
        print(f"{user.username}\t{person.name if person else '-'}\t{posts}\t{flags}")
