"""Roles and rights: a role is held by a post, in the post's division (scope is a prefix match).

Rights name what may be done; reading inside one's scope is always allowed.
"""

from __future__ import annotations

RIGHTS: dict[str, tuple[str, ...]] = {
    "commander": ("sign", "command", "notify", "supervise", "respond"),  # 指挥长
    "duty": ("claim", "notify", "command", "respond", "consult"),  # 值班员
    "analyst": ("analyse", "consult", "respond"),  # 研判
    "supervisor": ("supervise", "respond"),  # 督办
    "responder": ("respond",),  # 责任人、网格员
    "registrar": ("register", "respond"),  # 名录管理
    "admin": ("admin", "register", "analyse"),  # 系统管理员
}
NAMES = {
    "commander": ("指挥长", "Commander"),
    "duty": ("值班员", "Duty officer"),
    "analyst": ("研判员", "Analyst"),
    "supervisor": ("督办员", "Supervisor"),
    "responder": ("责任人", "Responder"),
    "registrar": ("名录管理员", "Registrar"),
    "admin": ("系统管理员", "Administrator"),
}
