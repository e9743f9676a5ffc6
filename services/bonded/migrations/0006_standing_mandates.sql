-- Only what may count is looked for by its pair: of what is over there may be any number.
drop index known_mandate_of_pair;
create index known_mandate_standing on known_mandate ((grantor_party || '/' || agent_party))
    where files_stock_lists and revoked_at is null;
