-- What is missing of a declaration is missing since customs first recorded it, and not since its last fact. Null:
-- learnt before, when only the last was kept.
alter table declaration add column known_since timestamptz;
