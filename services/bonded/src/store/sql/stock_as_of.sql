-- Stock as the movements up to $12 on the clock of effect and $13 on that of
-- recording add up.
-- Whose: $1 trader, $2 operated sites. Which: $3 book, $4 line, $5 trader. How: $6 by
-- lot, $7 also empty ones. Page: behind ($8 book, $9 line, $10 lot), $11 rows.
with totals as (
    select s.book_number, s.line_number, case when $6::boolean then l.ordinal else 0 end as lot_ordinal,
           coalesce(sum(s.declared) filter (where s.total = 'PROVISIONAL_INCREASE'), 0) as provisional_increase_declared,
           coalesce(sum(s.statutory_1) filter (where s.total = 'PROVISIONAL_INCREASE'), 0) as provisional_increase_statutory_1,
           coalesce(sum(s.statutory_2) filter (where s.total = 'PROVISIONAL_INCREASE'), 0) as provisional_increase_statutory_2,
           coalesce(sum(s.declared) filter (where s.total = 'PROVISIONAL_DECREASE'), 0) as provisional_decrease_declared,
           coalesce(sum(s.statutory_1) filter (where s.total = 'PROVISIONAL_DECREASE'), 0) as provisional_decrease_statutory_1,
           coalesce(sum(s.statutory_2) filter (where s.total = 'PROVISIONAL_DECREASE'), 0) as provisional_decrease_statutory_2,
           coalesce(sum(s.declared) filter (where s.total = 'ACTUAL_INCREASE'), 0) as actual_increase_declared,
           coalesce(sum(s.statutory_1) filter (where s.total = 'ACTUAL_INCREASE'), 0) as actual_increase_statutory_1,
           coalesce(sum(s.statutory_2) filter (where s.total = 'ACTUAL_INCREASE'), 0) as actual_increase_statutory_2,
           coalesce(sum(s.declared) filter (where s.total = 'ACTUAL_DECREASE'), 0) as actual_decrease_declared,
           coalesce(sum(s.statutory_1) filter (where s.total = 'ACTUAL_DECREASE'), 0) as actual_decrease_statutory_1,
           coalesce(sum(s.statutory_2) filter (where s.total = 'ACTUAL_DECREASE'), 0) as actual_decrease_statutory_2,
           coalesce(sum(case s.total when 'ACTUAL_INCREASE' then s.declared when 'ACTUAL_DECREASE' then -s.declared when 'PROVISIONAL_DECREASE' then -s.declared else 0 end) filter (where h.list_number is not null), 0) as held_declared,
           coalesce(sum(case s.total when 'ACTUAL_INCREASE' then s.statutory_1 when 'ACTUAL_DECREASE' then -s.statutory_1 when 'PROVISIONAL_DECREASE' then -s.statutory_1 else 0 end) filter (where h.list_number is not null), 0) as held_statutory_1,
           coalesce(sum(case s.total when 'ACTUAL_INCREASE' then s.statutory_2 when 'ACTUAL_DECREASE' then -s.statutory_2 when 'PROVISIONAL_DECREASE' then -s.statutory_2 else 0 end) filter (where h.list_number is not null), 0) as held_statutory_2
    from movement s
    join lot l using (lot_id)
    -- Spans of a list do not overlap: at most one of them holds at the time asked for.
    left join stock_list_held h on h.list_number = l.list_number
        and (least($12::timestamptz, $13::timestamptz) is null or h.held_from <= least($12::timestamptz, $13::timestamptz))
        and (h.held_until is null or h.held_until > least($12::timestamptz, $13::timestamptz))
    join book b on b.book_number = s.book_number
    where (b.trader_party = $1 or b.site_id = any($2::text[]))
      and ($3::text is null or s.book_number = $3)
      and ($4::integer is null or s.line_number = $4)
      and ($5::text is null or b.trader_party = $5)
      and (s.book_number, s.line_number, case when $6 then l.ordinal else 0 end) > ($8::text, $9::integer, $10::integer)
      and ($12::timestamptz is null or s.effective_at <= $12)
      and ($13::timestamptz is null or s.recorded_at <= $13)
    group by 1, 2, 3
)
select r.book_number as "book_number!", b.trader_party as "trader_party!", b.site_id as "site_id!",
       r.line_number as "line_number!", n.hs_code as "hs_code!", n.goods_description as "goods_description!",
       n.unit_declared as "unit_declared!", n.unit_statutory_1 as "unit_statutory_1!", n.unit_statutory_2 as "unit_statutory_2!",
       r.lot_ordinal as "lot_ordinal!", l.lot_id as "lot_id?", l.entry_date as "entry_date?", l.storage_until as "storage_until?",
       r.provisional_increase_declared as "provisional_increase_declared!", r.provisional_increase_statutory_1 as "provisional_increase_statutory_1!", r.provisional_increase_statutory_2 as "provisional_increase_statutory_2!",
       r.provisional_decrease_declared as "provisional_decrease_declared!", r.provisional_decrease_statutory_1 as "provisional_decrease_statutory_1!", r.provisional_decrease_statutory_2 as "provisional_decrease_statutory_2!",
       r.actual_increase_declared as "actual_increase_declared!", r.actual_increase_statutory_1 as "actual_increase_statutory_1!", r.actual_increase_statutory_2 as "actual_increase_statutory_2!",
       r.actual_decrease_declared as "actual_decrease_declared!", r.actual_decrease_statutory_1 as "actual_decrease_statutory_1!", r.actual_decrease_statutory_2 as "actual_decrease_statutory_2!",
       r.held_declared as "held_declared!", r.held_statutory_1 as "held_statutory_1!", r.held_statutory_2 as "held_statutory_2!",
       l.list_number as "list_number?",
       least($13::timestamptz, greatest(b.head_recorded_at, b.clock_at)) as "recorded_at!"
from totals r
join book b on b.book_number = r.book_number
join book_line n on n.book_number = r.book_number and n.line_number = r.line_number
left join lot l on l.book_number = r.book_number and l.line_number = r.line_number and l.ordinal = r.lot_ordinal
where $7 or
       r.actual_increase_declared <> r.actual_decrease_declared or
       r.actual_increase_statutory_1 <> r.actual_decrease_statutory_1 or
       r.actual_increase_statutory_2 <> r.actual_decrease_statutory_2 or
       r.provisional_increase_declared <> 0 or r.provisional_decrease_declared <> 0 or
       r.provisional_increase_statutory_1 <> 0 or r.provisional_decrease_statutory_1 <> 0 or
       r.provisional_increase_statutory_2 <> 0 or r.provisional_decrease_statutory_2 <> 0
order by r.book_number, r.line_number, r.lot_ordinal
limit $11
