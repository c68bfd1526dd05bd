"""The tables of readings (see `collect.models`): hot hours, closed hours waiting to be packed, packed hours and days."""

from django.db import migrations

UP = """
create table reading (
    time_ms bigint not null, value float8 not null, station int4 not null, quantity int2 not null, quality int2 not null
) partition by range (time_ms);
create index reading_time on reading using brin (time_ms) with (pages_per_range = 32);
create table reading_default partition of reading default;
create index reading_default_series on reading_default (station, quantity, time_ms);
create table reading_closed (
    time_ms bigint not null, value float8 not null, station int4 not null, quantity int2 not null, quality int2 not null
) partition by range (time_ms);
create table reading_packed (
    station int4 not null, quantity int2 not null, start_ms bigint not null, end_ms bigint not null,
    rows int4 not null, data bytea not null, primary key (station, quantity, start_ms)
);
alter table reading_packed alter column data set storage external;
create index reading_packed_hours on reading_packed (start_ms, station) where end_ms - start_ms <= 3600000;
alter table collect_latestblock alter column data set storage external;
"""
DOWN = "drop table reading_packed; drop table reading_closed; drop table reading"


class Migration(migrations.Migration):
    dependencies = [("collect", "0001_initial")]
    operations = [migrations.RunSQL(UP, DOWN)]
