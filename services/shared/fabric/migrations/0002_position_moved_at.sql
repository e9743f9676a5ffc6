-- When a consumed partition's position last moved. A producer whose head, stamped
-- well after that, lies below the position has lost history (architecture: a fork).
alter table fabric.position add column moved_at timestamptz not null default clock_timestamp();
