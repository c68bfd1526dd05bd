"""Changes of the register that gateways must know are announced at commit: ``NOTIFY anlan_register``.

Payload ``<table>|<client id>...`` (separated by U+001F), or ``<table>|*`` when a statement changed more than 50
rows, so that a bulk load costs one announcement a statement. Columns that no gateway reads are not announced.
"""

from django.db import migrations

UP = r"""
create function register_announce() returns trigger language plpgsql as $$
declare
  n integer;
  ids text;
begin
  select count(*) into n from (select 1 from changed limit 51) c;
  if n = 0 then
    return null;
  end if;
  if n <= 50 then
    if tg_table_name = 'register_device' then
      if tg_op = 'UPDATE' then
        select string_agg(client_id, chr(31)) into ids from (select client_id from changed union select client_id from former) c;
      else
        select string_agg(client_id, chr(31)) into ids from changed;
      end if;
    elsif tg_table_name = 'register_deviceseries' then
      select string_agg(distinct d.client_id, chr(31)) into ids from changed c join register_device d on d.id = c.device_id;
    elsif tg_table_name = 'register_series' then
      select coalesce(string_agg(distinct d.client_id, chr(31)), '-') into ids from changed c
        left join register_deviceseries f on f.series_id = c.id left join register_device d on d.id = f.device_id;
    elsif tg_table_name = 'register_station' then
      if tg_op = 'UPDATE' then
        if not exists (
          select 1 from changed c join former o on o.id = c.id
          where (c.enabled, c.division_code, c.site_id, c.number) is distinct from (o.enabled, o.division_code, o.site_id, o.number))
        then
          return null;
        end if;
      end if;
      select coalesce(string_agg(distinct d.client_id, chr(31)), '-') into ids from changed c
        left join register_series s on s.station_id = c.id
        left join register_deviceseries f on f.series_id = s.id left join register_device d on d.id = f.device_id;
    elsif not exists (select 1 from changed c join former o on o.id = c.id where c.partition is distinct from o.partition) then
      return null;  -- register_site: only updates are announced
    end if;
  end if;
  if n > 50 or ids is null or length(ids) > 7000 then
    ids := '*';
  end if;
  perform pg_notify('anlan_register', tg_table_name || '|' || ids);
  return null;
end $$;
"""
TABLES = ("device", "deviceseries", "series", "station", "site")
EVENTS = {
    "insert": "referencing new table as changed",
    "update": "referencing old table as former new table as changed",
    "delete": "referencing old table as changed",
}
for _table in TABLES:
    for _event, _rows in EVENTS.items():
        if _table == "site" and _event != "update":
            continue
        UP += (
            f"create trigger register_{_table}_{_event}_announced after {_event} on register_{_table} "
            f"{_rows} for each statement execute function register_announce();\n"
        )
DOWN = "drop function register_announce() cascade;"


class Migration(migrations.Migration):
    dependencies = [("register", "0002_history")]
    operations = [migrations.RunSQL(UP, DOWN)]
