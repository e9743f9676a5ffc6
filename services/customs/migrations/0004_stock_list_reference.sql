-- Which declaration a stock list is to go with.

-- Bonded's word of it; none where that came before customs kept it.
alter table stock_list add column declaration_lrn text;
