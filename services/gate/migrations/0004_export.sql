-- Declarations, by the references by which filings name them: what comes in laden comes in on one.
create table known_declaration (
    declaration_id text primary key,
    epoch bigint not null,
    version bigint not null,
    event_id text not null,
    mrn text not null,
    lrn text not null,
    filer_party text not null,
    state text not null,
    direction text not null,
    containers text[] not null,
    stock_lists text[] not null
);
create index known_declaration_mrn on known_declaration (mrn) where mrn <> '';
create index known_declaration_lrn on known_declaration (lrn);

-- A declaration leads to the filings that come in on it.
create index pre_arrival_references on pre_arrival using gin ((body -> 'document_references'))
    where state in ('BLOCKED', 'READY') and body ->> 'kind' = 'FULL_IN';

-- What a decision lets happen: decisions that an older instance still writes are all of pick-ups.
alter table known_decision add column journey text not null default 'IMPORT_PICK_UP';

-- What was lifted onto a train or barge that has not left. Generated, so that rows which an older instance
-- still writes have it too.
alter table container_visit
    add column loaded_on text generated always as (body #>> '{loaded,conveyance}') stored;
create index container_visit_loaded on container_visit (site_id, loaded_on)
    where phase = 'ARRIVED' and loaded_on is not null;

-- Trucks between two barriers, of which there are few at any time, and those that are inside, by age.
create index truck_visit_first_barrier on truck_visit (truck_visit_id) where state = 'GATED_IN_FIRST';
create index truck_visit_inside on truck_visit (arrived_at) where state = 'GATED_IN';
