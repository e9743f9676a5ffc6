-- A mandate may be for some goods alone; a list says by which it was filed.
alter table known_mandate add column goods text[] not null default '{}';
alter table stock_list add column mandate_id text;
