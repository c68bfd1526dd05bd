"""Everything that a judgement of one place needs, in one query: findings, forecast, proposal, warnings, orders.

The path from a finding to a proposal is the one that a siren waits for, so it is SQL: one statement
to lock, one to read, one to write, one for the event.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..engines.outbox import one, run, together
from .contract import Evidence, Outlook, Place

LOOK_BACK_DAYS = 30  # a finding that has not been renewed for so long is no evidence any more: our default

_LOCK = "select pg_advisory_xact_lock(0x414E4C50, hashtext(%s))"
_READ = """
with found as (
  select distinct on (f.station_id, f.quantity, f.detector, f.evidence->>'kind')
    f.id, f.station_id as station, s.name as station_name, s.name_en as station_name_en, f.quantity, f.detector, f.hazard, f.grade,
    (extract(epoch from f.at) * 1000)::bigint as at_ms, f.evidence as facts, f.zh, f.en
  from detect_finding f join register_station s on s.id = f.station_id
  where f.site_id = %(site)s and f.at > %(since)s
  order by f.station_id, f.quantity, f.detector, f.evidence->>'kind', f.at desc, f.created_at desc
)
select p.id, p.name, p.name_en, p.kind, p.division_code,
  (select count(*) from register_station where site_id = p.id and enabled), p.key_target,
  (select json_agg(found) from found where grade > 0),
  (select row_to_json(o) from (select id, (extract(epoch from made_at) * 1000)::bigint as made_ms,
      (extract(epoch from p10) * 1000)::bigint as p10_ms, (extract(epoch from p50) * 1000)::bigint as p50_ms,
      (extract(epoch from p90) * 1000)::bigint as p90_ms
    from forecast_forecast where site_id = p.id and p10 is not null and p50 is not null and p90 is not null
    order by made_at desc limit 1) o),
  (select json_agg(q) from (select id, hazard, grade, state, evidence, cause from issue_proposal
    where site_id = p.id and state in ('open', 'claimed')) q),
  (select json_agg(w) from (select id, hazard, grade, automatic from issue_hazardwarning where site_id = p.id and state = 'issued') w),
  (select json_agg(d) from (
      select hazard, grade, (extract(epoch from decided_at) * 1000)::bigint as at_ms from issue_proposal
        where site_id = p.id and state = 'declined' and decided_at > %(mute)s
      union all
      select hazard, grade, (extract(epoch from issued_at) * 1000)::bigint from issue_hazardwarning
        where site_id = p.id and kind = 'lift' and issued_at > %(mute)s) d),
  (select json_agg(r) from (select id, hazard, grade, actions, area, site_id, signed_by_id from issue_standingorder
    where signed_by_id is not null and valid_from <= %(now)s and (valid_to is null or valid_to > %(now)s)
      and (site_id = p.id or (site_id is null and area <> '' and starts_with(p.division_code, area)))) r)
from register_site p where p.id = %(site)s
"""


@dataclass(slots=True)
class Picture:
    """What is known of a place now; rows are plain dictionaries of the columns in the query."""

    place: Place
    evidence: list[Evidence]
    outlook: Outlook | None
    proposals: list[dict[str, Any]]
    warnings: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    orders: list[dict[str, Any]]


def _list(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    return json.loads(value) if isinstance(value, str) else value


def picture(site: str, now: Any, since: Any, mute: Any) -> Picture | None:
    """The picture of a site (locked for this transaction against a second judge), None when there is no such site.

    `now`, `since` (oldest finding) and `mute` (oldest refusal that still counts) are aware datetimes.
    """
    with together():
        run(_LOCK, [site])  # both in one round trip, in this order
        row = one(_READ, {"site": site, "now": now, "since": since, "mute": mute})
    if row is None:
        return None
    place = Place(row[0], row[1], row[2], row[3], row[4], row[5], row[6])
    evidence = [Evidence(**{**found, "facts": found["facts"] or {}}) for found in _list(row[7])]
    raw = json.loads(row[8]) if isinstance(row[8], str) else row[8]
    return Picture(place, evidence, Outlook(**raw) if raw else None, _list(row[9]), _list(row[10]), _list(row[11]), _list(row[12]))
