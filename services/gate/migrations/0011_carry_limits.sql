-- A firm may be nominated for some containers alone.
alter table carry_mandate add column containers text[] not null default '{}';
