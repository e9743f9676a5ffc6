-- A hold on a party holds the stays and stock lists whose goods are its own, that it filed for, or that it carried. Of
-- each is kept which parties these are and which holds on them were weighed last, as "service/id": by that those are
-- found that a hold, placed or lifted, has yet to reach.
alter table container_visit add column goods_parties text[] not null default '{}';
alter table container_visit add column party_holds text[] not null default '{}';
alter table stock_list add column goods_parties text[] not null default '{}';
alter table stock_list add column party_holds text[] not null default '{}';

-- Whom a stay or list concerned when it was last decided on, until it is decided on again.
update container_visit set goods_parties = array(
    select distinct p ->> 0 from jsonb_array_elements(body -> 'concerned' -> 'parties') as c (p)
    where p ->> 1 in ('line', 'filer', 'trader')) where not over;
update stock_list set goods_parties = array(
    select distinct p ->> 0 from jsonb_array_elements(body -> 'concerned' -> 'parties') as c (p)
    where p ->> 1 in ('filer', 'trader')) where not over;

create index container_visit_parties on container_visit using gin (goods_parties) where not over;
create index stock_list_parties on stock_list using gin (goods_parties) where not over;
create index container_visit_party_held on container_visit (container_number) where party_holds <> '{}' and not over;
create index stock_list_party_held on stock_list (list_number) where party_holds <> '{}' and not over;
create index hold_party_standing on hold (scope) where lifted_at is null and scope like 'party/%';

-- What a line takes back may have left: the stays of its document that are over are asked for too.
create index container_visit_over_documents on container_visit using gin (transport_documents) where over;
