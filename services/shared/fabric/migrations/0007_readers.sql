-- What a caller reads is read as the role of readers, for whom the tables' policies let only those rows through that
-- the caller may see: behind the filters of the service's own queries, which say the same once more.
--
-- The roles are named after the owner: NAME_owner migrates, NAME_service serves, NAME_reader reads.

create function fabric.role_of(kind text) returns text
language sql stable parallel safe as $$
    select regexp_replace(nspowner::regrole::text, '_owner$', '') || '_' || kind from pg_namespace where nspname = 'fabric'
$$;

do $$
begin
    if to_regrole(fabric.role_of('reader')) is null then
        raise exception 'there is no role %', fabric.role_of('reader')
            using hint = 'Make it, grant it to the role of the service, and migrate again (docs/runbook.md, "Roles").';
    end if;
    execute format('grant usage on schema fabric to %I', fabric.role_of('reader'));
end $$;

-- Lets readers read rows of a table that a condition holds for, and the service all, as before. A table for which
-- this is not called is closed to readers.
create procedure fabric.open_to_readers(opened regclass, condition text)
language plpgsql as $$
begin
    execute format('alter table %s enable row level security', opened);
    execute format('create policy service on %s to %I using (true) with check (true)', opened, fabric.role_of('service'));
    execute format('create policy readers on %s for select to %I using (%s)', opened, fabric.role_of('reader'), condition);
    execute format('grant select on %s to %I', opened, fabric.role_of('reader'));
end $$;

-- From now on the session reads for this party, in these roles and, where it works at some, at these sites. A party
-- without a name reads nothing.
create function fabric.read_as(party text, roles text[], sites text[]) returns void
language plpgsql as $$
begin
    perform set_config('greenlane.party', party, false), set_config('greenlane.roles', roles::text, false),
            set_config('greenlane.sites', sites::text, false), set_config('role', fabric.role_of('reader'), false);
end $$;

-- From now on the session reads as the service.
create function fabric.read_all() returns void
language plpgsql as $$
begin
    perform set_config('role', 'none', false);
end $$;

-- For policies: who reads. Write "(select fabric.reader())", which is asked once and not for each row.
create function fabric.reader() returns text
language sql stable parallel safe as $$ select nullif(current_setting('greenlane.party', true), '') $$;
create function fabric.reader_is(role text) returns boolean
language sql stable parallel safe as $$
    select coalesce(role = any(nullif(current_setting('greenlane.roles', true), '')::text[]), false)
$$;
create function fabric.reader_sites() returns text[]
language sql stable parallel safe as $$
    select coalesce(nullif(current_setting('greenlane.sites', true), '')::text[], '{}')
$$;
