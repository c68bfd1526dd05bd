"""The API keeps its own description: schemathesis sends what the OpenAPI allows and what it does not.

In this process, over WSGI; bounded examples; every call as an administrator of one district. A call may refuse
(4xx with ``code``, ``zh``, ``en``), but never fails (5xx), and never answers what is not JSON where JSON is promised.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

WRITES_ELSEWHERE = "/api/logout"


@pytest.fixture
def api(db):
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.signals import request_finished, request_started
    from django.db import close_old_connections

    from anlan.engines.outbox import acting
    from anlan.register.models import Organisation
    from anlan.register.service import create_person, create_post
    from anlan.web.app import api as built
    from anlan.web.tokens import make_token

    with acting("system:test"):
        organisation = Organisation.objects.create(name="局", division_code="440303")
    person = create_person("admin", "440303", actor="system:test")
    for role in ("admin", "commander", "supervisor"):
        create_post(role, organisation, role, "440303", actor="system:test", person=person)
    token = make_token(person)
    handler = WSGIHandler()
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(built().get_openapi_schema())))
    schema.app = handler
    for signal in (request_started, request_finished):  # they would close the test's one connection
        signal.disconnect(close_old_connections)
    yield schema, {"Authorization": f"Bearer {token}"}
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_every_call_is_described_in_words(migrated):
    from anlan.web.app import api as built

    for path, calls in built().get_openapi_schema()["paths"].items():
        for method, call in calls.items():
            assert call.get("summary") and call.get("description"), f"{method} {path} has no words"


@pytest.mark.timeout(120)
def test_nothing_the_description_allows_makes_a_call_fail(api):
    from django.db import transaction

    schema, headers = api
    failures: list[str] = []
    seen: Counter[int] = Counter()

    def check(case) -> None:
        with transaction.atomic():
            answer = case.call(headers=headers)
            transaction.set_rollback(True)
        seen[answer.status_code] += 1
        if answer.status_code >= 500:
            failures.append(f"{case.method} {case.formatted_path} -> {answer.status_code} {answer.content[:200]!r}")
        elif answer.status_code >= 400:
            said = json.loads(answer.content)
            assert said["code"] and said["zh"] and said["en"], (case.formatted_path, said)

    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path == WRITES_ELSEWHERE:
            continue

        @settings(max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy())
        def one(case) -> None:
            check(case)

        one()
    print(dict(seen))
    assert seen[200] > 20 and seen[404] > 20, "the calls really ran"
    assert not failures, "\n".join(sorted(set(failures))[:20])
