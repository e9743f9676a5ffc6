-- Account books and the stock ledger below them.

-- What bonded knows of the parties, from the register's facts; the highest
-- (epoch, version) wins.
create table known_party (
    party_id text primary key,
    version_epoch bigint not null,
    version bigint not null,
    name text not null,
    roles text[] not null,
    suspended boolean not null
);

-- An account book, with the head of its chain of movements.
create table book (
    book_number text primary key check (book_number ~ '^[A-Z0-9]{12}$'),
    version bigint not null check (version > 0),
    site_id text not null,
    trader_party text not null,
    lines integer not null check (lines >= 0),
    head_ordinal bigint not null check (head_ordinal >= 0),
    head_chain bytea not null check (length(head_chain) = 32),
    head_recorded_at timestamptz check ((head_recorded_at is null) = (head_ordinal = 0)),
    opened_at timestamptz not null,
    opened_by_party text not null,
    opened_by_subject text not null
);
create index book_of_trader on book (trader_party, book_number);
create index book_of_site on book (site_id, book_number);

-- One kind of goods in a book. Goods and units never change.
create table book_line (
    book_number text not null references book,
    line_number integer not null check (line_number > 0),
    version bigint not null check (version > 0),
    hs_code text not null,
    goods_description text not null,
    unit_declared text not null,
    unit_statutory_1 text not null,
    unit_statutory_2 text not null,
    suspended_for_increase boolean not null,
    suspended_for_decrease boolean not null,
    suspension_reason text,
    suspension_changed_at timestamptz,
    suspension_changed_by_party text,
    suspension_changed_by_subject text,
    lots integer not null check (lots >= 0),
    added_at timestamptz not null,
    added_by_party text not null,
    added_by_subject text not null,
    primary key (book_number, line_number)
);

-- Goods of one line that came in together.
create table lot (
    lot_id text primary key,
    book_number text not null,
    line_number integer not null,
    ordinal integer not null check (ordinal > 0),
    entry_date date not null,
    storage_until date not null check (storage_until >= entry_date),
    unique (book_number, line_number, ordinal),
    foreign key (book_number, line_number) references book_line
);
create index lot_oldest_first on lot (book_number, line_number, entry_date);

-- The ledger: append only. `ordinal` and `recorded_at` grow strictly within a
-- book, and `chain` is over the value before and every column of the row.
create table movement (
    movement_id uuid primary key,
    book_number text not null references book,
    ordinal bigint not null check (ordinal > 0),
    line_number integer not null,
    lot_id text not null references lot,
    total text not null check (total in (
        'PROVISIONAL_INCREASE', 'PROVISIONAL_DECREASE', 'ACTUAL_INCREASE', 'ACTUAL_DECREASE')),
    declared numeric(21, 6) not null,
    statutory_1 numeric(21, 6) not null,
    statutory_2 numeric(21, 6) not null,
    unit_declared text not null,
    unit_statutory_1 text not null,
    unit_statutory_2 text not null,
    cause_kind text not null,
    cause_reference text not null,
    effective_at timestamptz not null,
    recorded_at timestamptz not null,
    recorded_by_party text not null,
    recorded_by_subject text not null,
    chain bytea not null check (length(chain) = 32),
    unique (book_number, ordinal),
    unique (book_number, recorded_at),
    -- A cause moves a total of a lot once.
    unique (book_number, cause_kind, cause_reference, lot_id, total),
    check (effective_at <= recorded_at),
    foreign key (book_number, line_number) references book_line
);
create index movement_of_lot on movement (lot_id, ordinal);
create index movement_of_line on movement (book_number, line_number, ordinal);
-- Every opening makes a lot of its own, so its cause is unique without the lot.
create unique index movement_opened_once on movement (book_number, line_number, cause_reference)
    where cause_kind = 'OPENING';

-- The running totals of a lot, moved in the transaction of each movement.
create table balance (
    lot_id text primary key references lot,
    book_number text not null,
    line_number integer not null,
    provisional_increase_declared numeric(21, 6) not null check (provisional_increase_declared >= 0),
    provisional_increase_statutory_1 numeric(21, 6) not null check (provisional_increase_statutory_1 >= 0),
    provisional_increase_statutory_2 numeric(21, 6) not null check (provisional_increase_statutory_2 >= 0),
    provisional_decrease_declared numeric(21, 6) not null check (provisional_decrease_declared >= 0),
    provisional_decrease_statutory_1 numeric(21, 6) not null check (provisional_decrease_statutory_1 >= 0),
    provisional_decrease_statutory_2 numeric(21, 6) not null check (provisional_decrease_statutory_2 >= 0),
    actual_increase_declared numeric(21, 6) not null check (actual_increase_declared >= 0),
    actual_increase_statutory_1 numeric(21, 6) not null check (actual_increase_statutory_1 >= 0),
    actual_increase_statutory_2 numeric(21, 6) not null check (actual_increase_statutory_2 >= 0),
    actual_decrease_declared numeric(21, 6) not null check (actual_decrease_declared >= 0),
    actual_decrease_statutory_1 numeric(21, 6) not null check (actual_decrease_statutory_1 >= 0),
    actual_decrease_statutory_2 numeric(21, 6) not null check (actual_decrease_statutory_2 >= 0),
    -- Nothing is reserved or goes out that is not there.
    check (actual_increase_declared - actual_decrease_declared >= provisional_decrease_declared),
    check (actual_increase_statutory_1 - actual_decrease_statutory_1 >= provisional_decrease_statutory_1),
    check (actual_increase_statutory_2 - actual_decrease_statutory_2 >= provisional_decrease_statutory_2),
    foreign key (book_number, line_number) references book_line
) with (fillfactor = 70);
create index balance_of_line on balance (book_number, line_number);

-- Nobody but the owner may change or remove a movement, whatever rights the
-- service's role is given on new tables by default.
do $$
declare
    grantee text;
begin
    for grantee in
        select case when rights.grantee = 0 then 'public' else quote_ident(rights.grantee::regrole::text) end
        from pg_class, aclexplode(relacl) as rights
        where oid = 'movement'::regclass and rights.grantee <> relowner
        group by rights.grantee
    loop
        execute format('revoke update, delete, truncate on movement from %s', grantee);
    end loop;
end $$;
