-- Gate's tables. What is looked for, locked or filtered by tenant is a column; the rest of an aggregate is
-- one document (`body`).

create table site (
    site_id text primary key,
    version bigint not null,
    body jsonb not null
);

create table container_visit (
    container_visit_id text primary key,
    site_id text not null,
    container_number text not null,
    ordinal integer not null,
    version bigint not null,
    phase text not null,
    conveyance text,
    line_parties text[] not null,
    transport_documents text[] not null,
    recorded_at timestamptz not null,
    body jsonb not null,
    unique (site_id, container_number, ordinal)
);
create index container_visit_container on container_visit (container_number, ordinal desc);
create index container_visit_announced on container_visit (site_id, conveyance) where phase = 'ANNOUNCED';
create index container_visit_recorded on container_visit (recorded_at desc, container_visit_id desc);
create index container_visit_transport_documents on container_visit using gin (transport_documents);

create table pre_arrival (
    pre_arrival_id uuid primary key,
    number text not null unique,
    site_id text not null,
    haulier_party text not null,
    driver_id uuid not null,
    containers text[] not null,
    plates text[] not null,
    state text not null,
    version bigint not null,
    expires_at timestamptz not null,
    submitted_at timestamptz not null,
    body jsonb not null
);
create index pre_arrival_containers on pre_arrival using gin (containers) where state in ('BLOCKED', 'READY');
create index pre_arrival_plates on pre_arrival using gin (plates) where state in ('BLOCKED', 'READY');
create index pre_arrival_haulier_open on pre_arrival (haulier_party) where state in ('BLOCKED', 'READY');
create index pre_arrival_expiry on pre_arrival (expires_at) where state in ('BLOCKED', 'READY');
create index pre_arrival_submitted on pre_arrival (submitted_at desc, pre_arrival_id desc);

-- The only place of a driver's personal data, so that it can be erased while the record stays.
create table driver (
    driver_id uuid primary key,
    haulier_party text not null,
    name text not null,
    licence text not null,
    phone text not null,
    recorded_at timestamptz not null
);

create table truck_visit (
    truck_visit_id uuid primary key,
    site_id text not null,
    pre_arrival_id uuid,
    haulier_party text,
    containers text[] not null,
    plates text[] not null,
    state text not null,
    version bigint not null,
    arrived_at timestamptz not null,
    body jsonb not null
);
create index truck_visit_containers on truck_visit using gin (containers)
    where state in ('MANUAL_REVIEW', 'GATED_IN', 'RECALLED');
create index truck_visit_plates on truck_visit using gin (plates)
    where state in ('MANUAL_REVIEW', 'GATED_IN', 'RECALLED');
create index truck_visit_haulier_open on truck_visit (haulier_party)
    where state in ('MANUAL_REVIEW', 'GATED_IN', 'RECALLED');
create index truck_visit_arrived on truck_visit (arrived_at desc, truck_visit_id desc);

create table hold (
    keeper text not null,
    hold_id text not null,
    scope_kind text not null,
    scope_key text not null,
    kind text not null,
    placed_by_party text not null,
    placed_by_subject text not null,
    reason text not null,
    placed_at timestamptz not null,
    lifted_at timestamptz,
    lifted_by_subject text not null,
    lift_reason text not null,
    event_id text not null,
    primary key (keeper, hold_id)
);
create index hold_scope on hold (scope_kind, scope_key) where lifted_at is null;

-- Copies of what the others told; the highest (epoch, version) wins.
create table known_party (
    party_id text primary key,
    epoch bigint not null,
    version bigint not null,
    event_id text not null,
    name text not null,
    suspended boolean not null
);

create table carry_mandate (
    mandate_id text primary key,
    epoch bigint not null,
    version bigint not null,
    event_id text not null,
    grantor_party text not null,
    agent_party text not null,
    carries boolean not null,
    valid_from timestamptz not null,
    valid_until timestamptz,
    revoked_at timestamptz
);
create index carry_mandate_grantor on carry_mandate (grantor_party);

create table known_decision (
    container_visit_id text primary key,
    container_number text not null,
    epoch bigint not null,
    version bigint not null,
    event_id text not null,
    state text not null,
    haulier_party text not null,
    decided_at timestamptz not null,
    conditions jsonb not null
);
create index known_decision_container on known_decision (container_number);

create table known_clearance (
    container_number text primary key,
    epoch bigint not null,
    version bigint not null,
    event_id text not null,
    declarations text[] not null,
    consignments jsonb not null
);
create index known_clearance_declarations on known_clearance using gin (declarations);

-- Asks that were answered, each once.
create table answered_ask (
    ask_id text primary key,
    container_visit_id text not null,
    too_late boolean not null,
    recorded_at timestamptz not null
);
