-- What readers may read, by party: behind the filters of store/queries.rs, which say the same. An officer's reads are
-- the service's own. Holds and drivers are seen by whoever sees what they are about.

call fabric.open_to_readers('site', 'true');

call fabric.open_to_readers('container_visit', $$
    (select fabric.reader_is('line')) and (select fabric.reader()) = any(line_parties)
    or (select fabric.reader_is('terminal'))
        and exists (select from site s where s.site_id = container_visit.site_id
                    and s.body ->> 'terminal_party' = (select fabric.reader()))
$$);

call fabric.open_to_readers('hold', $$
    scope_kind = 'container-visit'
    and exists (select from container_visit v where v.container_visit_id = hold.scope_key)
$$);

call fabric.open_to_readers('pre_arrival', $$
    haulier_party = (select fabric.reader()) or body ->> 'filer_party' = (select fabric.reader())
    or (select fabric.reader_is('terminal'))
        and exists (select from site s where s.site_id in (pre_arrival.site_id, pre_arrival.body ->> 'second_site_id')
                    and s.body ->> 'terminal_party' = (select fabric.reader()))
$$);

call fabric.open_to_readers('driver', $$
    exists (select from pre_arrival p where p.driver_id = driver.driver_id)
$$);

-- Who presented itself without having been nominated has shown its papers at the barrier, and reads nothing of it.
call fabric.open_to_readers('truck_visit', $$
    haulier_party = (select fabric.reader())
    or carrier_party = (select fabric.reader())
        and not body @> '{"conditions": [{"code": "CARRIER_NOT_NOMINATED"}]}'
    or (select fabric.reader_is('terminal'))
        and exists (select from site s where s.site_id = truck_visit.site_id
                    and s.body ->> 'terminal_party' = (select fabric.reader()))
$$);
