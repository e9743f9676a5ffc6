-- The stock list whose goods a container brought into a bonded centre, so that their unstuffing leads to it.
alter table container_visit
    add column list_number text generated always as (body ->> 'list_number') stored;
create index container_visit_list_laden on container_visit (list_number)
    where phase = 'ARRIVED' and not (body -> 'manifest' ->> 'empty')::boolean;
