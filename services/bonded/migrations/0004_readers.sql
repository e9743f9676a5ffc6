-- What readers may read: a trader its books, the operator those of the centres where it works, both and the broker
-- that filed it a list. It stands behind the filters of store/books.rs and its neighbours, which say the same. What
-- belongs to a list that was shown is read as the service.

call fabric.open_to_readers('book', $$
    (select fabric.reader_is('trader')) and trader_party = (select fabric.reader())
    or site_id = any((select fabric.reader_sites())::text[])
$$);

call fabric.open_to_readers('book_line', $$ book_number in (select b.book_number from book b) $$);
call fabric.open_to_readers('lot', $$ book_number in (select b.book_number from book b) $$);
call fabric.open_to_readers('movement', $$ book_number in (select b.book_number from book b) $$);
call fabric.open_to_readers('balance', $$ book_number in (select b.book_number from book b) $$);

call fabric.open_to_readers('stock_list', $$
    (select fabric.reader_is('trader')) and trader_party = (select fabric.reader())
    or (select fabric.reader_is('broker')) and filer_party = (select fabric.reader())
    or site_id = any((select fabric.reader_sites())::text[])
$$);

call fabric.open_to_readers('discrepancy', $$
    exists (select from stock_list l where l.list_number = discrepancy.list_number)
$$);
call fabric.open_to_readers('stock_list_held', $$
    exists (select from stock_list l where l.list_number = stock_list_held.list_number)
$$);
