-- What release knows and decides. Parties that may read a row stand in the row; what is queried,
-- filtered or locked is a column, the rest of an aggregate is its body.

-- Sites, parties, declarations, pre-arrivals: copies of others' facts, the highest version wins.
create table site (
    site_id text primary key,
    epoch bigint not null,
    version bigint not null,
    name text not null,
    terminal_party text not null
);

create table known_party (
    party_id text primary key,
    epoch bigint not null,
    version bigint not null,
    name text not null,
    roles text[] not null,
    suspended boolean not null
);

create table declaration (
    declaration_id text primary key,
    epoch bigint not null,
    version bigint not null,
    mrn text not null,
    filer_party text not null,
    trader_party text not null,
    container_numbers text[] not null
);

create table pre_arrival (
    pre_arrival_id text primary key,
    epoch bigint not null,
    version bigint not null,
    site_id text not null,
    haulier_party text not null,
    withdrawn boolean not null,
    container_numbers text[] not null,
    container_visit_ids text[] not null
);
create index pre_arrival_containers on pre_arrival using gin (container_numbers);

-- One stay of one container, with the decision on it.
create table container_visit (
    container_visit_id text primary key,
    container_number text not null,
    site_id text not null,
    over boolean not null,
    unknown boolean not null,
    transport_documents text[] not null,
    reader_parties text[] not null,
    decision_state text,
    decision_version bigint not null,
    known_since timestamptz not null,
    recorded_at timestamptz not null,
    body jsonb not null
);
create index container_visit_number on container_visit (container_number, known_since desc);
create index container_visit_documents on container_visit using gin (transport_documents) where not over;
create index container_visit_unknown on container_visit (container_number) where unknown and not over;
create index container_visit_site on container_visit (site_id, container_number) where not over;

-- What customs says about the goods under a key.
create table clearance (
    key text primary key,
    epoch bigint not null,
    version bigint not null,
    declaration_ids text[] not null,
    recorded_at timestamptz not null,
    body jsonb not null
);
create index clearance_declarations on clearance using gin (declaration_ids);

-- A line's leave for one haulier. A line has one standing release per scope.
create table commercial_release (
    commercial_release_id uuid primary key,
    version bigint not null check (version > 0),
    line_party text not null,
    transport_document text not null,
    haulier_party text not null,
    site_id text,
    container_number text,
    granted_at timestamptz not null,
    granted_by_subject text not null,
    revoked_at timestamptz,
    revoked_by_subject text,
    revoke_reason text,
    recorded_at timestamptz not null
);
create index commercial_release_document on commercial_release (transport_document);
create unique index commercial_release_one_standing on commercial_release
    (line_party, transport_document, coalesce(site_id, ''), coalesce(container_number, '')) where revoked_at is null;

-- Holds of every service. Lifted wins, in whatever order it is learnt.
create table hold (
    service text not null,
    hold_id text not null,
    scope text not null,
    kind text not null,
    placed_by_party text not null,
    placed_by_role text not null,
    placed_by_subject text not null,
    reason text not null,
    placed_at timestamptz not null,
    lifted_at timestamptz,
    lifted_by_subject text,
    lift_reason text,
    event_id text not null,
    recorded_at timestamptz not null,
    primary key (service, hold_id)
);
create index hold_standing on hold (scope) where lifted_at is null;

-- Every fact of every journey; append-only. An entry open to visit readers may be read by whoever may
-- read one of its stays now, also who came to the journey after the fact.
create table timeline_entry (
    event_id text primary key,
    service text not null,
    fact text not null,
    subject text not null,
    party text not null,
    observed_at timestamptz not null,
    recorded_at timestamptz not null,
    title text not null,
    detail text not null,
    site_id text not null,
    container_numbers text[] not null,
    container_visit_ids text[] not null,
    declaration_id text not null,
    mrn text not null,
    pre_arrival_id text not null,
    truck_visit_id text not null,
    book_number text not null,
    open_to_visit_readers boolean not null,
    reader_parties text[] not null
);
create index timeline_container on timeline_entry using gin (container_numbers);
create index timeline_visit on timeline_entry using gin (container_visit_ids);
create index timeline_declaration on timeline_entry (declaration_id, recorded_at) where declaration_id <> '';
create index timeline_mrn on timeline_entry (mrn, recorded_at) where mrn <> '';
create index timeline_pre_arrival on timeline_entry (pre_arrival_id, recorded_at) where pre_arrival_id <> '';
create index timeline_truck_visit on timeline_entry (truck_visit_id, recorded_at) where truck_visit_id <> '';
create index timeline_book on timeline_entry (book_number, recorded_at) where book_number <> '';

-- A party's notices are read straight from the outbox, in the order of their commits.
create index outbox_notice on fabric.outbox (key, epoch, seq) where topic = 'release.notice';
