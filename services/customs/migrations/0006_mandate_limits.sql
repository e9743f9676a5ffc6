-- Mandates that are limited to goods or containers, and such as were passed on by who holds them.
alter table mandate
    add column goods text[] not null default '{}',
    add column containers text[] not null default '{}',
    add column may_be_passed_on smallint not null default 0,
    add column passed_on_by text,
    -- The mandates from which it came, the grantor's first.
    add column chain uuid[] not null default '{}';
create index mandate_chain on mandate using gin (chain);
create index mandate_pair on mandate (grantor, agent) where revoked_at is null;
create index mandate_passed_on_by on mandate (passed_on_by, mandate_id desc) where passed_on_by is not null;

alter policy readers on mandate using (
    grantor = (select fabric.reader()) or agent = (select fabric.reader()) or passed_on_by = (select fabric.reader())
);
