"""Outbox announcements, the audit function, and the append-only guard (attached by engines.ledger)."""

from django.db import migrations

ANNOUNCE = """
create function anlan_announce() returns trigger language plpgsql as $$
begin
  perform pg_notify('anlan_event', new.id || '|' || new.type || '|' || left(new.subject, 2000));
  return null;
end $$;
create trigger anlan_announce after insert on engines_outbox for each row execute function anlan_announce();
"""

AUDIT = """
create function anlan_audit() returns trigger language plpgsql as $$
-- One statement's changes to a ledger, written to the audit trail. tg_argv[0] is the key column.
-- Inserts of more than 1000 rows keep no copy: the rows are their own first version, and the
-- first change keeps it as `before`.
declare
  actor text := current_setting('anlan.actor', true);
  -- the story clock of a demonstration, set by engines.outbox.acting; else the machine's
  at timestamptz := coalesce(nullif(current_setting('anlan.now', true), '')::timestamptz, now());
begin
  if tg_op = 'DELETE' then
    if not exists (select from former) then return null; end if;
  elsif not exists (select from changed) then return null;
  end if;
  if coalesce(actor, '') = '' then
    raise exception 'anlan: % of % without an actor', tg_op, tg_table_name
      using errcode = 'insufficient_privilege', hint = 'write ledgers inside engines.outbox.acting(actor)';
  end if;
  if tg_op = 'INSERT' then
    execute format('insert into engines_auditentry (at, actor, "table", row, action, before, after)
      select $4, $1, $2, n.%1$I, $3, null, case when (select count(*) from changed) > 1000 then null else to_jsonb(n) end
      from changed n', tg_argv[0]) using actor, tg_table_name, tg_op, at;
  elsif tg_op = 'UPDATE' then
    execute format('insert into engines_auditentry (at, actor, "table", row, action, before, after)
      select $4, $1, $2, coalesce(n.%1$I, o.%1$I), $3, to_jsonb(o), to_jsonb(n)
      from former o full join changed n on n.%1$I = o.%1$I where to_jsonb(o) is distinct from to_jsonb(n)',
      tg_argv[0]) using actor, tg_table_name, tg_op, at;
  else
    execute format('insert into engines_auditentry (at, actor, "table", row, action, before, after)
      select $4, $1, $2, o.%1$I, $3, to_jsonb(o), null from former o', tg_argv[0]) using actor, tg_table_name, tg_op, at;
  end if;
  return null;
end $$;
"""

APPEND_ONLY = """
create function anlan_append_only() returns trigger language plpgsql as $$
begin
  if coalesce(current_setting('anlan.actor', true), '') not in ('system:migrate', 'system:restore') then
    raise exception 'anlan: % is append-only, % refused', tg_table_name, tg_op
      using errcode = 'insufficient_privilege', hint = 'add a new row that corrects the old one';
  end if;
  return null;
end $$;
"""


class Migration(migrations.Migration):
    dependencies = [("engines", "0001_initial")]
    operations = [
        migrations.RunSQL(
            ANNOUNCE, "drop trigger anlan_announce on engines_outbox; drop function anlan_announce()"
        ),
        migrations.RunSQL(AUDIT, "drop function anlan_audit() cascade"),
        migrations.RunSQL(APPEND_ONLY, "drop function anlan_append_only() cascade"),
    ]
