-- What passes of each stock list: what bonded says of it and its passes, one row under which they are decided.
create table list_passage (
    list_number text primary key,
    version bigint not null,
    body jsonb not null
);

-- The list that a filing or truck carries a part of, so that a fact about the list leads to them. Generated, so
-- that rows which an older instance still writes have it too.
alter table pre_arrival
    add column list_number text generated always as (body -> 'list' ->> 'list_number') stored,
    add column pass_number text generated always as (body ->> 'pass_number') stored;
create index pre_arrival_list_open on pre_arrival (list_number) where state in ('BLOCKED', 'READY');
create unique index pre_arrival_pass_number on pre_arrival (pass_number) where pass_number is not null;
alter table truck_visit
    add column list_number text generated always as (body ->> 'list_number') stored;
create index truck_visit_list_open on truck_visit (list_number)
    where state in ('MANUAL_REVIEW', 'GATED_IN', 'RECALLED');

-- A decision on a stock list has the key "list/NUMBER" and belongs to no container; it may name some.
alter table known_decision
    add column list_containers text[] not null default '{}';

-- An ask may be about a stock list.
alter table answered_ask
    add column list_number text not null default '';

-- Customs takes a declaration back, and gate has answered that what this decision lets go will not go on it.
alter table known_decision
    add column barred_by text not null default '';
create index known_decision_barred on known_decision (barred_by) where barred_by <> '';
