-- Who is before a barrier or between two is looked for as whoever is inside: one index for all of them, so that a
-- single condition finds them.
drop index truck_visit_containers, truck_visit_plates, truck_visit_haulier_open, truck_visit_carrier_open,
    truck_visit_list_open, truck_visit_first_barrier;
create index truck_visit_containers on truck_visit using gin (containers)
    where state in ('MANUAL_REVIEW', 'GATED_IN_FIRST', 'GATED_IN', 'RECALLED');
create index truck_visit_plates on truck_visit using gin (plates)
    where state in ('MANUAL_REVIEW', 'GATED_IN_FIRST', 'GATED_IN', 'RECALLED');
create index truck_visit_haulier_open on truck_visit (haulier_party)
    where state in ('MANUAL_REVIEW', 'GATED_IN_FIRST', 'GATED_IN', 'RECALLED');
create index truck_visit_carrier_open on truck_visit (carrier_party)
    where state in ('MANUAL_REVIEW', 'GATED_IN_FIRST', 'GATED_IN', 'RECALLED');
create index truck_visit_list_open on truck_visit (list_number)
    where state in ('MANUAL_REVIEW', 'GATED_IN_FIRST', 'GATED_IN', 'RECALLED');
