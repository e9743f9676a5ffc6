-- Stock lists: what comes into bond and goes out of it, what others tell of it, and what differs.

-- Of the mandates only those to file stock lists count here; the highest (epoch, version) wins.
create table known_mandate (
    mandate_id text primary key,
    version_epoch bigint not null,
    version bigint not null,
    grantor_party text not null,
    agent_party text not null,
    files_stock_lists boolean not null,
    valid_from timestamptz not null,
    valid_until timestamptz,
    revoked_at timestamptz
);
create index known_mandate_of_pair on known_mandate ((grantor_party || '/' || agent_party));

-- The last serial number given, of each customs area, year and direction.
create table stock_list_serial (
    customs_area text not null,
    direction text not null check (direction in ('INCREASE', 'DECREASE')),
    year integer not null,
    last integer not null check (last between 1 and 999999999),
    primary key (customs_area, direction, year)
);

-- When something of a book was recorded last: a movement, or that stock is held or no longer. Null: as its head says.
alter table book add column clock_at timestamptz;

-- Lots that are only expected have no entry yet, and know by which list and line they come.
alter table lot alter column entry_date drop not null;
alter table lot alter column storage_until drop not null;
alter table lot add column list_number text;
alter table lot add column list_line integer;
alter table lot add constraint lot_entry_whole check ((entry_date is null) = (storage_until is null));
alter table lot add constraint lot_origin_whole check ((list_number is null) = (list_line is null));
create index lot_of_list on lot (list_number) where list_number is not null;

-- The movement that a contra entry takes back.
alter table movement add column reverses_movement_id uuid references movement;

create table stock_list (
    list_number text primary key check (list_number ~ '^QD[0-9]{6}[IE][0-9]{9}$'),
    version bigint not null check (version > 0),
    site_id text not null,
    direction text not null check (direction in ('INCREASE', 'DECREASE')),
    book_number text not null references book,
    trader_party text not null,
    filer_party text not null,
    filer_subject text not null,
    declaration_lrn text not null,
    declaration_filer_party text,
    state text not null check (state in ('FILED', 'APPROVED', 'RESERVED', 'VOID_ASKED', 'VOIDED', 'POSTED', 'REVERSED')),
    stood text check (stood in ('FILED', 'APPROVED', 'RESERVED')),
    void_ask_id uuid,
    closed_short_by_party text,
    closed_short_by_subject text,
    closed_short_reason text,
    reason text,
    filed_at timestamptz not null,
    posted_at timestamptz,
    posted_effective_at timestamptz,
    check ((posted_at is null) = (posted_effective_at is null)),
    check (posted_at is not null or state not in ('POSTED', 'REVERSED')),
    check (state <> 'VOID_ASKED' or (stood is not null and void_ask_id is not null))
);
create index stock_list_of_trader on stock_list (trader_party, filed_at, list_number);
create index stock_list_of_filer on stock_list (filer_party, filed_at, list_number);
create index stock_list_of_site on stock_list (site_id, filed_at, list_number);
create index stock_list_waiting on stock_list (list_number) where state in ('APPROVED', 'RESERVED');

create table stock_list_line (
    list_number text not null references stock_list,
    line_number integer not null check (line_number > 0),
    book_number text not null,
    book_line integer not null,
    declared numeric(21, 6) not null check (declared > 0),
    statutory_1 numeric(21, 6) not null check (statutory_1 >= 0),
    statutory_2 numeric(21, 6) not null check (statutory_2 >= 0),
    counted numeric(21, 6) check (counted >= 0),
    primary key (list_number, line_number),
    foreign key (book_number, book_line) references book_line
);

-- A list line's part of one lot: what is provisional, and what became of it.
create table stock_list_part (
    list_number text not null,
    line_number integer not null,
    part integer not null check (part > 0),
    lot_id text not null references lot,
    provisional_declared numeric(21, 6) not null check (provisional_declared > 0),
    provisional_statutory_1 numeric(21, 6) not null check (provisional_statutory_1 >= 0),
    provisional_statutory_2 numeric(21, 6) not null check (provisional_statutory_2 >= 0),
    provisional_movement_id uuid not null unique references movement,
    actual_declared numeric(21, 6) check (actual_declared > 0),
    actual_statutory_1 numeric(21, 6) check (actual_statutory_1 >= 0),
    actual_statutory_2 numeric(21, 6) check (actual_statutory_2 >= 0),
    actual_movement_id uuid unique references movement,
    primary key (list_number, line_number, part),
    foreign key (list_number, line_number) references stock_list_line,
    check ((actual_movement_id is null) = (actual_declared is null)),
    check ((actual_movement_id is null) = (actual_statutory_1 is null)),
    check ((actual_movement_id is null) = (actual_statutory_2 is null))
);
create index stock_list_part_of_lot on stock_list_part (lot_id);

-- When the goods that came by a list were held, on the clock of recording of its book.
create table stock_list_held (
    list_number text not null references stock_list,
    held_from timestamptz not null,
    held_until timestamptz check (held_until > held_from),
    primary key (list_number, held_from)
);
create unique index stock_list_held_now on stock_list_held (list_number) where held_until is null;

create table discrepancy (
    discrepancy_id uuid primary key,
    list_number text not null references stock_list,
    ordinal integer not null check (ordinal > 0),
    line_number integer not null,
    kind text not null check (kind in ('OVER_DELIVERY', 'UNDER_DELIVERY', 'COUNT')),
    expected numeric(21, 6) not null check (expected >= 0),
    found numeric(21, 6) not null check (found >= 0),
    unit text not null,
    opened_at timestamptz not null,
    resolution text check (resolution in ('POST_PASSED', 'POST_COUNTED', 'EXPLAINED')),
    resolved_at timestamptz,
    resolved_by_party text,
    resolved_by_subject text,
    reason text,
    unique (list_number, ordinal),
    check ((resolution is null) = (resolved_at is null))
);
create index discrepancy_open on discrepancy (list_number) where resolution is null;
create index discrepancy_by_time on discrepancy (opened_at, discrepancy_id);

-- What gate told of a list's passage; the highest (epoch, version) wins.
create table list_passage (
    list_number text primary key,
    version_epoch bigint not null,
    version bigint not null,
    closed boolean not null,
    void_ask_id text not null,
    void_applied boolean not null
);
create table list_pass (
    list_number text not null references list_passage,
    pre_arrival_id text not null,
    pass_number text not null,
    state text not null check (state in ('ISSUED', 'PASSED', 'WITHDRAWN')),
    passed_at timestamptz,
    primary key (list_number, pre_arrival_id)
);
create table list_pass_line (
    list_number text not null,
    pre_arrival_id text not null,
    line_number integer not null,
    unit text not null,
    quantity numeric(21, 6) not null check (quantity >= 0),
    primary key (list_number, pre_arrival_id, line_number, unit),
    foreign key (list_number, pre_arrival_id) references list_pass
);

-- What customs told of the declarations that name lists; the highest (epoch, version) wins.
create table known_declaration (
    declaration_id text primary key,
    version_epoch bigint not null,
    version bigint not null,
    lrn text not null,
    filer_party text not null,
    trader_party text not null,
    released boolean not null,
    released_at timestamptz,
    stock_lists text[] not null
);
create index known_declaration_of_list on known_declaration using gin (stock_lists);

-- Holds on lists, by the topic that tells them; lifted wins.
create table list_hold (
    topic text not null,
    hold_id text not null,
    list_number text not null,
    kind text not null,
    placed_by_party text not null,
    reason text not null,
    placed_at timestamptz not null,
    lifted_at timestamptz,
    primary key (topic, hold_id)
);
create index list_hold_of_list on list_hold (list_number);
