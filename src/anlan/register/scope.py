"""Rights by area and post, applied in one place: who is asking, what may they see and do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from ..base.errors import AnlanError
from .models import Person, Post
from .roles import NAMES, RIGHTS


@dataclass(frozen=True, slots=True)
class Asker:
    """The person behind a request: their id, posts' scopes and rights. `scopes` are division prefixes."""

    person_id: str
    name: str
    scopes: tuple[str, ...]
    rights: dict[str, tuple[str, ...]]  # right -> prefixes where it is held

    def may(self, right: str, division_code: str = "") -> bool:
        """Whether the right is held for this division."""
        return any(division_code.startswith(scope) for scope in self.rights.get(right, ()))

    def demand(self, right: str, division_code: str = "") -> None:
        """Raise ``register.no_right`` (shown as 403) with who can grant it."""
        if not self.may(right, division_code):
            roles = [NAMES[r] for r, rights in RIGHTS.items() if right in rights]
            raise AnlanError(
                "register.no_right",
                f"没有“{right}”权限（区划 {division_code or '全部'}）；需要岗位：{'、'.join(r[0] for r in roles)}，由系统管理员授予",
                f"no right '{right}' for division {division_code or 'all'}; posts that have it: "
                f"{', '.join(r[1] for r in roles)}; the administrator grants it",
                right=right,
            )


def asker_of(person: Person) -> Asker:
    """The asker of a person, from the posts they hold (and of those whose substitute they are)."""
    posts = Post.objects.filter(Q(person=person) | Q(person__substitute=person, person__on_leave=True))
    rights: dict[str, set[str]] = {}
    scopes = set()
    for post in posts:
        scopes.add(post.division_code)
        for right in RIGHTS.get(post.role, ()):
            rights.setdefault(right, set()).add(post.division_code)
    return Asker(person.id, person.name, tuple(sorted(scopes)), {k: tuple(sorted(v)) for k, v in rights.items()})


def area(prefixes: tuple[str, ...], field: str = "division_code") -> Q:
    """The condition "lies under one of these division prefixes" (nothing does under none)."""
    found = Q(pk__in=[])
    for prefix in prefixes:
        found |= Q(**{f"{field}__startswith": prefix})
    return found


def scoped(queryset: QuerySet[Any], asker: Asker, field: str = "division_code") -> QuerySet[Any]:
    """The rows of `queryset` inside the asker's area."""
    return queryset.filter(area(asker.scopes, field))
