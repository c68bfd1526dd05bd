"""Who held a post and who was on leave, kept by the database whoever writes the row.

The time is ``anlan.now`` of the transaction when set (story clock, tests), else the server's.
"""

from django.db import migrations

FORWARD = """
create function register_story_now() returns timestamptz language sql stable as $$
  select coalesce(nullif(current_setting('anlan.now', true), '')::timestamptz, now())
$$;

create function register_keep_tenure() returns trigger language plpgsql as $$
declare
  since timestamptz := null;
begin
  if tg_op = 'UPDATE' then
    if new.person_id is not distinct from old.person_id then
      return null;
    end if;
    since := register_story_now();
    update register_tenure set to_at = since where post_id = new.id and to_at is null;
  end if;
  if new.person_id is not null then
    insert into register_tenure (post_id, person_id, from_at) values (new.id, new.person_id, since);
  end if;
  return null;
end $$;
create trigger register_tenure_kept after insert or update on register_post
  for each row execute function register_keep_tenure();

create function register_keep_leave() returns trigger language plpgsql as $$
declare
  since timestamptz := null;
begin
  if tg_op = 'UPDATE' then
    if new.on_leave = old.on_leave and new.substitute_id is not distinct from old.substitute_id then
      return null;
    end if;
    since := register_story_now();
    update register_leave set to_at = since where person_id = new.id and to_at is null;
  end if;
  if new.on_leave then
    insert into register_leave (person_id, substitute_id, from_at) values (new.id, new.substitute_id, since);
  end if;
  return null;
end $$;
create trigger register_leave_kept after insert or update on register_person
  for each row execute function register_keep_leave();
"""

BACKWARD = """
drop trigger register_leave_kept on register_person;
drop trigger register_tenure_kept on register_post;
drop function register_keep_leave();
drop function register_keep_tenure();
drop function register_story_now();
"""


class Migration(migrations.Migration):
    dependencies = [("register", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
