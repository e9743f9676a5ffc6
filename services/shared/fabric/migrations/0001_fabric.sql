-- The tables of the loop: what a service has answered, published and applied.
-- One schema in every service's database; see the crate's README.

-- Where each produced partition stands: sequence order equals commit order.
create table fabric.head (
    topic text not null,
    partition integer not null,
    epoch bigint not null,
    seq bigint not null,
    chain bytea not null,
    primary key (topic, partition)
);

-- Every published fact, insert only. Partitioned by day so that dropping the
-- old ones costs nothing; fabric.maintain_outbox makes and drops the days.
create table fabric.outbox (
    topic text not null,
    partition integer not null,
    epoch bigint not null,
    seq bigint not null,
    key text not null,
    event_type text not null,
    payload bytea not null,
    chain bytea not null,
    traceparent text,
    recorded_at timestamptz not null,
    primary key (topic, partition, epoch, seq, recorded_at)
) partition by range (recorded_at);

create table fabric.outbox_default partition of fabric.outbox default;

-- How far the broker has acknowledged; moved by the one active relay.
create table fabric.cursor (
    topic text not null,
    partition integer not null,
    epoch bigint not null,
    acked_seq bigint not null,
    owner uuid,
    primary key (topic, partition)
);

-- The answer to every command, refusals too: the same request gives it again.
create table fabric.answer (
    party text not null,
    request_id uuid not null,
    fingerprint bytea not null,
    refused boolean not null,
    body bytea not null,
    recorded_at timestamptz not null,
    primary key (party, request_id)
);

-- What has been applied of each consumed partition, with the newest watermark.
create table fabric.position (
    topic text not null,
    partition integer not null,
    epoch bigint not null default 1,
    seq bigint not null default 0,
    chain bytea not null default '',
    kafka_offset bigint not null default -1,
    stopped_because text,
    watermark_epoch bigint,
    watermark_acked_seq bigint,
    watermark_head_seq bigint,
    watermark_stamped_at timestamptz,
    watermark_received_at timestamptz,
    primary key (topic, partition)
) with (fillfactor = 50);

-- Records that could not be applied, with every later one of their key.
create table fabric.parked (
    event_id text primary key,
    topic text not null,
    partition integer not null,
    epoch bigint not null,
    seq bigint not null,
    key text not null,
    event_type text not null,
    payload bytea not null,
    traceparent text,
    cause text not null,
    attempts integer not null default 1,
    parked_at timestamptz not null
);
create index parked_key on fabric.parked (topic, key, epoch, seq);

-- What an operator gave up on, and why.
create table fabric.discarded (
    event_id text primary key,
    topic text not null,
    key text not null,
    event_type text not null,
    payload bytea not null,
    cause text not null,
    discarded_by text not null,
    reason text not null,
    discarded_at timestamptz not null default clock_timestamp()
);

-- Makes the outbox partitions of today and the coming days and drops those
-- older than the retention whose rows the broker has all acknowledged. Owned
-- by the schema's owner, because the service's role owns nothing.
create function fabric.maintain_outbox(retention_days integer) returns integer
language plpgsql security definer set search_path = fabric, pg_temp as $$
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
    for day in select generate_series(current_date, current_date + 2, interval '1 day')::date loop
        name := 'outbox_' || to_char(day, 'YYYYMMDD');
        if to_regclass('fabric.' || name) is null
            and not exists (select from fabric.outbox_default
                            where recorded_at >= day and recorded_at < day + 1) then
            execute format('create table fabric.%I partition of fabric.outbox for values from (%L) to (%L)',
                           name, day, day + 1);
        end if;
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

select fabric.maintain_outbox(7);
