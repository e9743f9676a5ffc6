-- When a list was counted last: what had brought its goods by then may be empty.
alter table stock_list add column counted_at timestamptz;

-- What a declaration's procedure does with the goods. Empty: not told yet; customs states its facts again.
alter table known_declaration add column procedure_kind text not null default '';
