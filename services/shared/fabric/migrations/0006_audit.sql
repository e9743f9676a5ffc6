-- The record of what each commit did, for whom and at whose word: insert only. A fact on the service's audit topic
-- tells of each row, with its hash; the chain here is that topic's. Rows stay when the outbox's days are dropped.
create table fabric.audit (
    partition integer not null,
    epoch bigint not null,
    seq bigint not null,
    -- The fact's key: of the writer.
    key text not null,
    recorded_at timestamptz not null,
    -- greenlane.fabric.v1.AuditEntries; of a row that opens an epoch, EpochOpened.
    entries bytea not null,
    key_id text not null,
    signature bytea not null,
    chain bytea not null,
    primary key (partition, epoch, seq)
);
create index audit_recorded on fabric.audit (recorded_at);

-- The service adds to it and reads it, and changes nothing.
do $$
declare
    grantee text;
begin
    for grantee in
        select distinct a.grantee::regrole::text
        from pg_class c, aclexplode(c.relacl) a
        where c.oid = 'fabric.audit'::regclass and a.grantee <> c.relowner
    loop
        execute format('revoke update, delete, truncate on fabric.audit from %s', grantee);
    end loop;
end $$;
