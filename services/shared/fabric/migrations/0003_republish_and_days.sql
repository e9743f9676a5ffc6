-- An operator's request to send a partition again from a sequence on: whichever
-- instance is asked, the active relay finds it here.
alter table fabric.cursor add column republish_from bigint;

-- Makes the outbox partitions of today, the coming days, and every day whose rows
-- came before anybody had made one: those are moved from the default partition into
-- their day, so that they are dropped in their turn and leave no hole. Then drops
-- the days older than the retention whose rows the broker has all acknowledged.
-- Owned by the schema's owner, because the service's role owns nothing. What it
-- cannot lock at once it leaves for the next time: writers must not queue behind it.
create or replace function fabric.maintain_outbox(retention_days integer) returns integer
language plpgsql security definer set search_path = fabric, pg_temp set lock_timeout = '2s' as $$
declare
    day date;
    name text;
    dropped integer := 0;
    child record;
    behind boolean;
begin
    if retention_days < 1 then
        raise exception 'retention_days must be at least 1';
    end if;
    perform pg_advisory_xact_lock(7310593858020254331);
    for day in
        select d::date from generate_series(current_date, current_date + 2, interval '1 day') d
        union select recorded_at::date from fabric.outbox_default
    loop
        name := 'outbox_' || to_char(day, 'YYYYMMDD');
        continue when to_regclass('fabric.' || name) is not null;
        -- Nobody reads while rows are in neither table.
        lock table fabric.outbox in access exclusive mode;
        execute format('create table fabric.%I (like fabric.outbox including all)', name);
        execute format('with moved as (delete from fabric.outbox_default
                                       where recorded_at >= %L and recorded_at < %L returning *)
                        insert into fabric.%I select * from moved', day, day + 1, name);
        execute format('alter table fabric.outbox attach partition fabric.%I for values from (%L) to (%L)',
                       name, day, day + 1);
    end loop;
    for child in
        select c.relname from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'fabric.outbox'::regclass
          and c.relname ~ '^outbox_[0-9]{8}$'
          and to_date(right(c.relname, 8), 'YYYYMMDD') < current_date - retention_days
    loop
        execute format('select exists (select from fabric.%I o join fabric.cursor c using (topic, partition)
                        where (o.epoch, o.seq) > (c.epoch, c.acked_seq))', child.relname) into behind;
        if not behind then
            execute format('drop table fabric.%I', child.relname);
            dropped := dropped + 1;
        end if;
    end loop;
    return dropped;
end $$;
