-- What customs keeps. Rows that belong to parties carry them in columns, so that
-- every reading query can filter by who asks. What is queried, joined or locked
-- stands in columns; the rest of an aggregate is its body.

create table declaration (
    id uuid primary key,
    version bigint not null check (version > 0),
    mrn text unique,
    lrn text not null,
    type_code text not null,
    filer text not null,
    trader text,
    payer text,
    status text not null,
    debt text not null,
    -- What the payer's account would have to secure; none where nothing is open.
    outstanding numeric(30, 9),
    -- Whether arrivals and departures still concern it.
    open boolean not null,
    filed_at timestamptz not null,
    recorded_at timestamptz not null,
    body jsonb not null
);
create index declaration_filer on declaration (filer, id desc);
create index declaration_trader on declaration (trader, id desc) where trader is not null;
create index declaration_lrn on declaration (lrn);
create index declaration_unsecured on declaration (payer, id) where debt in ('SHORT', 'ASSESSED');

-- The containers and transport documents by which declarations are found.
create table declaration_reference (
    kind text not null check (kind in ('container', 'transport-document')),
    value text not null,
    declaration_id uuid not null references declaration,
    primary key (kind, value, declaration_id)
);
create index declaration_reference_declaration on declaration_reference (declaration_id);

-- What was filed, byte for byte.
create table document (
    declaration_id uuid primary key references declaration,
    content_type text not null,
    bytes bytea not null
);

-- Everything that happened, insert only.
create table declaration_history (
    declaration_id uuid not null references declaration,
    version bigint not null,
    fact text not null,
    observed_at timestamptz not null,
    recorded_at timestamptz not null,
    by_party text not null,
    by_subject text not null,
    detail text not null,
    primary key (declaration_id, version)
);

-- Which reference of a filer is taken, by what, and the first answer. A rejected
-- declaration takes none.
create table lrn (
    filer text not null,
    lrn text not null,
    declaration_id uuid not null,
    digest bytea not null,
    answer bytea not null,
    primary key (filer, lrn)
);

-- The filers' inboxes. The head grows under the filer's lock, so that a reader
-- behind a cursor never misses a notification that commits late.
create table inbox (
    filer text primary key,
    head bigint not null
);
create table notification (
    filer text not null,
    sequence bigint not null,
    declaration_id uuid not null,
    mrn text not null,
    lrn text not null,
    code smallint not null,
    filing_version integer not null,
    issued_at timestamptz not null,
    detail jsonb not null,
    primary key (filer, sequence)
);
create index notification_declaration on notification (declaration_id, sequence);

-- Gate's sites and container visits, as customs has learnt them.
create table site (
    site_id text primary key,
    version bigint not null,
    terminal_party text not null,
    goods_location_codes text[] not null
);
create table visit (
    visit_id text primary key,
    site_id text not null,
    container text not null,
    version bigint not null,
    phase text not null,
    arrived_at timestamptz,
    lines jsonb not null
);
create index visit_container on visit (container) where phase in ('ANNOUNCED', 'ARRIVED');

-- What customs says under a container or transport document.
create table clearance (
    key text primary key,
    version bigint not null,
    positions jsonb not null
);

create table hold (
    hold_id uuid primary key,
    scope_kind text not null,
    scope_key text not null,
    kind text not null check (kind in ('CUSTOMS', 'QUARANTINE')),
    placed_by_party text not null,
    placed_by_subject text not null,
    reason text not null,
    placed_at timestamptz not null,
    lifted_at timestamptz,
    lifted_by_subject text,
    lift_reason text
);
create index hold_standing on hold (scope_kind, scope_key) where lifted_at is null;

create table party (
    party_id text primary key,
    version bigint not null,
    name text not null,
    roles text[] not null,
    suspended boolean not null
);
create table party_identifier (
    scheme text not null,
    value text not null,
    party_id text not null references party,
    primary key (scheme, value)
);
create index party_identifier_party on party_identifier (party_id);

create table mandate (
    mandate_id uuid primary key,
    version bigint not null,
    grantor text not null,
    agent text not null,
    actions text[] not null,
    valid_from timestamptz not null,
    valid_until timestamptz,
    revoked_at timestamptz,
    revoke_reason text not null
);
create index mandate_grantor on mandate (grantor, mandate_id desc);
create index mandate_agent on mandate (agent, mandate_id desc);

-- Deferment accounts. The checks hold whatever the program does.
create table account (
    payer text primary key,
    version bigint not null,
    currency text not null,
    balance numeric(30, 9) not null check (balance >= 0),
    secured numeric(30, 9) not null check (secured >= 0),
    check (secured <= balance)
);
create table account_entry (
    payer text not null references account,
    number bigint not null,
    kind text not null check (kind in ('PAID_IN', 'SECURED', 'CHARGED')),
    amount numeric(30, 9) not null,
    declaration_id uuid,
    reference text not null,
    recorded_at timestamptz not null,
    primary key (payer, number)
);
