"""A closed incident is read-only for everybody: it and its tasks cannot be changed, whoever writes."""

from django.db import migrations

FORWARD = """
create function respond_closed() returns trigger language plpgsql as $$
begin
  if tg_table_name = 'respond_incident' then
    if old.state = 'closed' then
      raise exception 'respond.closed: incident % is closed and read-only', old.id using errcode = 'check_violation';
    end if;
  elsif exists (select 1 from respond_incident i where i.id = new.incident_id and i.state = 'closed') then
    raise exception 'respond.closed: incident % of task % is closed and read-only', new.incident_id, new.id using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger respond_incident_closed before update on respond_incident for each row execute function respond_closed();
create trigger respond_task_closed before insert or update on respond_task for each row execute function respond_closed();
"""
BACKWARD = """
drop trigger respond_task_closed on respond_task;
drop trigger respond_incident_closed on respond_incident;
drop function respond_closed();
"""


class Migration(migrations.Migration):
    dependencies = [("respond", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
