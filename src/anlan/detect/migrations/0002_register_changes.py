"""Register changes leave a row (in their own transaction), so that the desk knows when to compile the lanes' settings again."""

from django.db import migrations

WATCHED = {
    "register_station": "number, kind, site_id, interval_s, enabled",
    "register_site": "code, partition",
    "register_series": "station_id, quantity, low, high, noise",
    "register_threshold": "quantity, station_id, site_id, station_kind, mode, window_s, blue, yellow, orange, red, hysteresis, "
    "persistence_s, persistence_n, valid_from, valid_to, signed_by_id, version",
}
UP = """
create table detect_registerchange (id bigserial primary key, source text not null);
create function detect_note_change() returns trigger language plpgsql as $$
begin
    insert into detect_registerchange (source) values (tg_table_name);
    perform pg_notify('anlan_settings', tg_table_name);
    return null;
end $$;
""" + "".join(
    f"create trigger detect_note_change after insert or delete or update of {columns} on {table} "
    "for each statement execute function detect_note_change();\n"
    for table, columns in WATCHED.items()
)
DOWN = (
    "".join(f"drop trigger detect_note_change on {table};" for table in WATCHED)
    + "drop function detect_note_change(); drop table detect_registerchange"
)
STORAGE = """
alter table detect_snapshot alter column data set storage external;
alter table detect_laneconfig alter column data set storage external;
"""


class Migration(migrations.Migration):
    dependencies = [("detect", "0001_initial"), ("register", "0001_initial")]
    operations = [migrations.RunSQL(UP, DOWN), migrations.RunSQL(STORAGE, migrations.RunSQL.noop)]
