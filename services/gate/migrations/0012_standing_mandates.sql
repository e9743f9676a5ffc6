-- Only what may count is looked for by its grantor: of what is over there may be any number.
drop index carry_mandate_grantor;
create index carry_mandate_standing on carry_mandate (grantor_party) where carries and revoked_at is null;
