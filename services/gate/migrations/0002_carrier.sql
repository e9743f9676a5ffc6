-- The firm that presented itself, so that a hold on it leads to its trucks and it can read them. Generated,
-- so that rows which an older instance still writes have it too.
alter table truck_visit
    add column carrier_party text generated always as (body ->> 'carrier_party') stored;
create index truck_visit_carrier_open on truck_visit (carrier_party)
    where state in ('MANUAL_REVIEW', 'GATED_IN', 'RECALLED');
