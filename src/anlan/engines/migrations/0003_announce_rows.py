"""The announcement of an event carries the event itself where it is short enough, so that hearers need no second look.

`NOTIFY` takes less than 8000 bytes (PostgreSQL, NOTIFY_PAYLOAD_MAX_LENGTH); a longer event is announced as before,
``id|type|subject``, and read by its id. Read by `engines.outbox.announced`.
"""

from django.db import migrations

ANNOUNCE = """
create or replace function anlan_announce() returns trigger language plpgsql as $$
declare
  whole text := json_build_object('id', new.id, 'type', new.type, 'subject', new.subject, 'division_code', new.division_code,
    'payload', new.payload, 'cause', new.cause,
    'at', to_char(new.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text;
begin
  if octet_length(whole) < 7900 then
    perform pg_notify('anlan_event', whole);
  else
    perform pg_notify('anlan_event', new.id || '|' || new.type || '|' || left(new.subject, 2000));
  end if;
  return null;
end $$;
"""

BEFORE = """
create or replace function anlan_announce() returns trigger language plpgsql as $$
begin
  perform pg_notify('anlan_event', new.id || '|' || new.type || '|' || left(new.subject, 2000));
  return null;
end $$;
"""


class Migration(migrations.Migration):
    dependencies = [("engines", "0002_triggers")]
    operations = [migrations.RunSQL(ANNOUNCE, BEFORE)]
