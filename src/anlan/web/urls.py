"""Django's addresses: the API, its description, the administrator's pages, metrics."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path, re_path

from .app import api
from .docs import docs_page
from .metrics import metrics


def _unknown(request: HttpRequest) -> HttpResponse:
    return JsonResponse(
        {"code": "web.not_found", "zh": "没有这个接口，见 /api/docs", "en": "no such call, see /api/docs", "retry": False}, status=404
    )


urlpatterns = [
    path("api/docs", docs_page),
    path("api/", api().urls),
    path("metrics", metrics),
    path("admin/", admin.site.urls),
    re_path(r"^api/.*$", _unknown),
]
