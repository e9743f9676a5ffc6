-- What everybody concerned with a stay or a declaration is told, once each, whenever it is learnt that it
-- concerns them. The scope is what a hold on it is on: "container-visit/ID", "declaration/ID".
create table notice_board (
    scope text primary key,
    recorded_at timestamptz not null,
    body jsonb not null
);

-- What is about every container of a transport document is found through the document, and what is about
-- a declaration through the declaration, whenever stay or declaration are heard of.
alter table timeline_entry add column transport_document text not null default '';
create index timeline_document on timeline_entry (transport_document, recorded_at) where transport_document <> '';
create index declaration_containers on declaration using gin (container_numbers);
create index declaration_mrn on declaration (mrn) where mrn <> '';

-- A revocation that waits for gate's answers to these asks. It blocks another release of the same scope as
-- a standing one does. The version is the one by which the line took the release back.
alter table commercial_release add column revoked_version bigint;
alter table commercial_release add column revocation jsonb;
alter table commercial_release add column revocation_ask_ids uuid[] not null default '{}';
create index commercial_release_asks on commercial_release using gin (revocation_ask_ids) where revocation is not null;
