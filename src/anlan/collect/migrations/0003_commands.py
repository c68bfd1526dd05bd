"""Commands to devices: announced at commit (``anlan_command``, payload: device id), and their packet identifiers."""

from django.db import migrations

UP = """
create sequence collect_packet_id as integer minvalue 1 maxvalue 65535 cycle;
create index collect_devicecommand_down on collect_devicecommand (device_id, created_at) where state in ('waiting', 'sent');
create function collect_announce_command() returns trigger language plpgsql as $$
begin
  perform pg_notify('anlan_command', c.device_id) from (select distinct device_id from changed where state = 'waiting') c;
  return null;
end $$;
create trigger collect_command_inserted after insert on collect_devicecommand
  referencing new table as changed for each statement execute function collect_announce_command();
create trigger collect_command_updated after update on collect_devicecommand
  referencing new table as changed for each statement execute function collect_announce_command();
"""
DOWN = """
drop trigger collect_command_inserted on collect_devicecommand;
drop trigger collect_command_updated on collect_devicecommand;
drop function collect_announce_command();
drop index collect_devicecommand_down;
drop sequence collect_packet_id;
"""


class Migration(migrations.Migration):
    dependencies = [("collect", "0002_readings")]
    operations = [migrations.RunSQL(UP, DOWN)]
