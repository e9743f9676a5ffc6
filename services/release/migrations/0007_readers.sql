-- What readers may read, by party and, for terminals, by site: behind the filters of the store, which say the same. An
-- authority's reads are the service's own, and so is what stands behind a decision that was shown.

call fabric.open_to_readers('container_visit', $$
    site_id = any((select fabric.reader_sites())::text[]) or (select fabric.reader()) = any(reader_parties)
$$);

call fabric.open_to_readers('stock_list', $$
    site_ids && (select fabric.reader_sites()) or (select fabric.reader()) = any(reader_parties)
    or (select fabric.reader()) = any(owner_parties)
$$);

call fabric.open_to_readers('declaration', $$
    filer_party = (select fabric.reader()) or trader_party = (select fabric.reader())
$$);

-- A terminal may know that a declaration is about a container that stays there, and nothing else of it.
create function containers_declared(declaration text) returns text[]
language sql stable security definer set search_path = public, pg_temp as $$
    select container_numbers from declaration where declaration_id = $1
$$;

call fabric.open_to_readers('timeline_entry', $$
    site_id = any((select fabric.reader_sites())::text[])
    or (select fabric.reader()) = any(reader_parties)
    or declaration_id <> '' and exists (select from declaration d where d.declaration_id = timeline_entry.declaration_id)
    or site_id = '' and exists (select from container_visit v
        where v.site_id = any((select fabric.reader_sites())::text[])
          and (v.container_number = any(timeline_entry.container_numbers)
               or v.container_number = any(containers_declared(timeline_entry.declaration_id))
               or transport_document <> '' and transport_document = any(v.transport_documents)))
    or open_to_visit_readers and exists (select from container_visit v
        where v.container_visit_id = any(timeline_entry.container_visit_ids)
          and (select fabric.reader()) = any(v.reader_parties))
    or list_number <> '' and pre_arrival_id = '' and exists (select from stock_list l
        where l.list_number = timeline_entry.list_number
          and ((select fabric.reader()) = any(l.owner_parties)
               or open_to_visit_readers and ((select fabric.reader()) = any(l.reader_parties)
                                             or l.site_ids && (select fabric.reader_sites()))))
$$);

-- A party's notices.
call fabric.open_to_readers('fabric.outbox', $$ topic = 'release.notice' and key = (select fabric.reader()) $$);
