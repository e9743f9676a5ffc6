-- What a hold on a party concerns, and by which references payments are known.

-- A hold on the filer or payer stood when it was last decided.
alter table declaration add column party_held boolean not null default false;
create index declaration_filer_held on declaration (filer, party_held, id) where open;
create index declaration_payer_held on declaration (payer, party_held, id) where open;
create index declaration_party_held on declaration (id) where open and party_held;

-- Not unique: what was credited twice before stays as it was entered.
create index account_entry_paid_in on account_entry (payer, reference) where kind = 'PAID_IN';
