-- Drivers are forgotten after a time, the oldest first, unless a filing or a truck's visit still needs them.
create index driver_recorded on driver (recorded_at);
create index pre_arrival_driver on pre_arrival (driver_id);
create index truck_visit_pre_arrival on truck_visit (pre_arrival_id) where pre_arrival_id is not null;
