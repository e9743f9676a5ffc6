-- What exports and goods in bond need: how a container came and left, the stock lists of the
-- bonded centre, guarantees, and by which further names a declaration is found.

alter table site add column bonded boolean not null default false;

-- Came by truck, with these declarations named by the truck's filing (MRN or LRN); left by
-- train or barge.
alter table visit
    add column by_truck boolean not null default false,
    add column named text[] not null default '{}',
    add column exited boolean not null default false;
create index visit_named on visit using gin (named) where phase = 'ARRIVED';

-- 'name': the MRN and LRN by which a truck's filing names an export. 'ask': an ask to gate.
alter table declaration_reference
    drop constraint declaration_reference_kind_check,
    add constraint declaration_reference_kind_check
        check (kind in ('container', 'transport-document', 'stock-list', 'name', 'ask'));

alter table declaration
    -- What the trader's guarantee would have to cover; none where nothing is open.
    add column to_guarantee numeric(30, 9),
    -- Since when an export has been released and not left; none where nobody waits for that.
    add column exit_awaited_since timestamptz;
create index declaration_exit_awaited on declaration (exit_awaited_since) where exit_awaited_since is not null;

-- Bonded's stock lists, as customs has learnt them.
create table stock_list (
    list_number text primary key,
    version bigint not null,
    site_id text not null,
    trader text not null,
    state text not null,
    reserved_at timestamptz
);

-- Guarantees of traders, under which duty is suspended. The checks hold whatever the program does.
create table guarantee (
    trader text primary key,
    version bigint not null,
    currency text not null,
    amount numeric(30, 9) not null check (amount >= 0),
    in_use numeric(30, 9) not null check (in_use >= 0),
    check (in_use <= amount)
);
create table guarantee_entry (
    trader text not null references guarantee,
    number bigint not null,
    kind text not null check (kind in ('SET', 'RESERVED', 'FREED')),
    amount numeric(30, 9) not null,
    declaration_id uuid,
    by_party text not null,
    by_subject text not null,
    reason text not null,
    recorded_at timestamptz not null,
    primary key (trader, number)
);

alter table account_entry
    drop constraint account_entry_kind_check,
    add constraint account_entry_kind_check check (kind in ('PAID_IN', 'SECURED', 'CHARGED', 'FREED', 'REFUNDED'));
