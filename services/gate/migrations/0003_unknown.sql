-- Filings that are blocked because something could not be read: looked through every two seconds.
create index pre_arrival_on_unknown on pre_arrival (pre_arrival_id)
    where state = 'BLOCKED' and body @> '{"conditions": [{"code": "KNOWLEDGE_UNKNOWN"}]}';
