-- What a train or barge took along last: a departure that is told again finds it.
create index container_visit_carried_off
    on container_visit (site_id, loaded_on, ((body ->> 'departed_at') collate "C") desc)
    where phase = 'DEPARTED' and loaded_on is not null;
