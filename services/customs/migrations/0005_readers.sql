-- What readers may read, by party: behind the filters of store/queries.rs, which say the same. An officer's reads are
-- the service's own, and so are those of the register of parties, of which each may ask.

call fabric.open_to_readers('declaration', $$
    filer = (select fabric.reader()) or trader = (select fabric.reader())
$$);

call fabric.open_to_readers('declaration_reference', $$
    exists (select from declaration d where d.id = declaration_reference.declaration_id)
$$);

call fabric.open_to_readers('document', $$
    exists (select from declaration d where d.id = document.declaration_id)
$$);

call fabric.open_to_readers('declaration_history', $$
    exists (select from declaration d where d.id = declaration_history.declaration_id)
$$);

call fabric.open_to_readers('notification', $$
    filer = (select fabric.reader()) or exists (select from declaration d where d.id = notification.declaration_id)
$$);

call fabric.open_to_readers('account', $$ payer = (select fabric.reader()) $$);
call fabric.open_to_readers('account_entry', $$ payer = (select fabric.reader()) $$);
call fabric.open_to_readers('guarantee', $$ trader = (select fabric.reader()) $$);

call fabric.open_to_readers('mandate', $$
    grantor = (select fabric.reader()) or agent = (select fabric.reader())
$$);
