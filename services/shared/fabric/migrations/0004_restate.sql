-- What is needed to state facts again: for new readers once the first rows are dropped, and after a
-- restore from a backup.

-- Which part of its key's state a fact is: the newest fact of a key and aspect is that part's state.
-- Empty: the whole. Null: it is no state (a notice) and is never stated again.
alter table fabric.outbox add column aspect text default '';

-- The last word on each key and aspect among the rows that were dropped after their retention.
create table fabric.last_word (
    topic text not null,
    partition integer not null,
    key text not null,
    aspect text not null,
    epoch bigint not null,
    seq bigint not null,
    event_type text not null,
    payload bytea not null,
    primary key (topic, partition, key, aspect)
);

-- As before, and keeps the last words of a day before it is dropped.
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
        order by c.relname
    loop
        execute format('select exists (select from fabric.%I o join fabric.cursor c using (topic, partition)
                        where (o.epoch, o.seq) > (c.epoch, c.acked_seq))', child.relname) into behind;
        if not behind then
            execute format('insert into fabric.last_word
                            select distinct on (topic, partition, key, aspect)
                                   topic, partition, key, aspect, epoch, seq, event_type, payload
                            from fabric.%I where aspect is not null
                            order by topic, partition, key, aspect, epoch desc, seq desc
                            on conflict (topic, partition, key, aspect) do update set
                                epoch = excluded.epoch, seq = excluded.seq,
                                event_type = excluded.event_type, payload = excluded.payload
                            where (excluded.epoch, excluded.seq) > (last_word.epoch, last_word.seq)', child.relname);
            execute format('drop table fabric.%I', child.relname);
            dropped := dropped + 1;
        end if;
    end loop;
    return dropped;
end $$;
