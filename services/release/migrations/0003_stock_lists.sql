-- Goods of a stock list move into bond or out of it on a decision on the list.

-- What is decided on the list that a declaration names follows from where the declaration stands. Those that
-- were learnt before know no event and no standing, and let nothing move until customs states them again.
alter table declaration add column event_id text not null default '';
alter table declaration add column recorded_at timestamptz not null default 'epoch';
alter table declaration add column lrn text not null default '';
alter table declaration add column procedure_kind text not null default '';
alter table declaration add column state text not null default '';
alter table declaration add column invalidation_asked boolean not null default false;
alter table declaration add column stock_lists text[] not null default '{}';
create index declaration_stock_lists on declaration using gin (stock_lists) where stock_lists <> '{}';

-- A truck may carry a part of a list, to a second site, for a haulier for whom somebody else filed.
alter table pre_arrival add column second_site_id text not null default '';
alter table pre_arrival add column list_number text not null default '';
alter table pre_arrival add column filer_party text not null default '';
create index pre_arrival_list on pre_arrival (list_number) where list_number <> '';

-- A stock list, with the decision on it. Owners read all of it, readers its decisions, terminals what is about
-- their sites.
create table stock_list (
    list_number text primary key,
    site_ids text[] not null,
    over boolean not null,
    unknown boolean not null,
    reader_parties text[] not null,
    owner_parties text[] not null,
    decision_state text,
    decision_version bigint not null,
    recorded_at timestamptz not null,
    body jsonb not null
);
create index stock_list_unknown on stock_list (list_number) where unknown and not over;
create index stock_list_open on stock_list (list_number) where not over;

alter table timeline_entry add column list_number text not null default '';
create index timeline_list on timeline_entry (list_number, recorded_at) where list_number <> '';
