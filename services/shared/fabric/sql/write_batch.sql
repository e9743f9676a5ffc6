-- One statement writes what the loop adds to a batch: it locks the heads in
-- order, moves them only if they stand where the writer remembers them, and
-- inserts events, answers, positions and the record of what was done. Fewer moved heads than asked for make
-- the writer roll back, read the heads anew and repeat; nothing is recorded then,
-- for the other writer has recorded in that place.
with wanted as (
    select * from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bigint[], $7::bytea[])
        as w (topic, partition, epoch, from_seq, from_chain, to_seq, to_chain)
), locked as (
    select h.topic, h.partition, w.to_seq, w.to_chain
    from fabric.head h join wanted w on h.topic = w.topic and h.partition = w.partition
    where h.epoch = w.epoch and h.seq = w.from_seq and h.chain = w.from_chain
    order by h.topic, h.partition
    for no key update of h
), moved as (
    update fabric.head h set seq = l.to_seq, chain = l.to_chain
    from locked l where h.topic = l.topic and h.partition = l.partition
    returning 1
), published as (
    insert into fabric.outbox (topic, partition, epoch, seq, key, event_type, payload, chain, traceparent, recorded_at, aspect)
    select * from unnest($8::text[], $9::int[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::bytea[],
                         $15::bytea[], $16::text[], $17::timestamptz[], $31::text[])
    returning 1
), answered as (
    insert into fabric.answer (party, request_id, fingerprint, refused, body, recorded_at)
    select a.party, a.request_id, a.fingerprint, a.refused, a.body, $18
    from unnest($19::text[], $20::uuid[], $21::bytea[], $22::bool[], $23::bytea[])
        as a (party, request_id, fingerprint, refused, body)
    returning 1
), positioned as (
    update fabric.position p
    set epoch = n.epoch, seq = n.seq, chain = n.chain, kafka_offset = n.kafka_offset, stopped_because = n.stopped_because,
        moved_at = case when n.seq > p.seq or n.epoch > p.epoch then clock_timestamp() else p.moved_at end
    from unnest($24::text[], $25::int[], $26::bigint[], $27::bigint[], $28::bytea[], $29::bigint[], $30::text[])
        as n (topic, partition, epoch, seq, chain, kafka_offset, stopped_because)
    where p.topic = n.topic and p.partition = n.partition
    returning 1
), recorded as (
    insert into fabric.audit (partition, epoch, seq, key, recorded_at, entries, key_id, signature, chain)
    select $32::int, $33::bigint, $34::bigint, $35::text, $36::timestamptz, $37::bytea, $38::text, $39::bytea, $40::bytea
    where $32::int is not null and (select count(*) from moved) = (select count(*) from wanted)
    returning 1
)
select (select count(*) from moved) as "moved!",
       (select count(*) from published) as "published!",
       (select count(*) from answered) as "answered!",
       (select count(*) from positioned) as "positioned!",
       (select count(*) from recorded) as "recorded!"
