-- Stock as the running totals say.
-- Whose: $1 trader, $2 operated sites. Which: $3 book, $4 line, $5 trader. How: $6 by
-- lot, $7 also empty ones. Page: behind ($8 book, $9 line, $10 lot), $11 rows.
with totals as (
    select s.book_number, s.line_number, case when $6::boolean then l.ordinal else 0 end as lot_ordinal,
           sum(s.provisional_increase_declared) as provisional_increase_declared,
           sum(s.provisional_increase_statutory_1) as provisional_increase_statutory_1,
           sum(s.provisional_increase_statutory_2) as provisional_increase_statutory_2,
           sum(s.provisional_decrease_declared) as provisional_decrease_declared,
           sum(s.provisional_decrease_statutory_1) as provisional_decrease_statutory_1,
           sum(s.provisional_decrease_statutory_2) as provisional_decrease_statutory_2,
           sum(s.actual_increase_declared) as actual_increase_declared,
           sum(s.actual_increase_statutory_1) as actual_increase_statutory_1,
           sum(s.actual_increase_statutory_2) as actual_increase_statutory_2,
           sum(s.actual_decrease_declared) as actual_decrease_declared,
           sum(s.actual_decrease_statutory_1) as actual_decrease_statutory_1,
           sum(s.actual_decrease_statutory_2) as actual_decrease_statutory_2,
           coalesce(sum(s.actual_increase_declared - s.actual_decrease_declared - s.provisional_decrease_declared) filter (where h.list_number is not null), 0) as held_declared,
           coalesce(sum(s.actual_increase_statutory_1 - s.actual_decrease_statutory_1 - s.provisional_decrease_statutory_1) filter (where h.list_number is not null), 0) as held_statutory_1,
           coalesce(sum(s.actual_increase_statutory_2 - s.actual_decrease_statutory_2 - s.provisional_decrease_statutory_2) filter (where h.list_number is not null), 0) as held_statutory_2
    from balance s
    join lot l using (lot_id)
    left join stock_list_held h on h.list_number = l.list_number and h.held_until is null
    join book b on b.book_number = s.book_number
    where (b.trader_party = $1 or b.site_id = any($2::text[]))
      and ($3::text is null or s.book_number = $3)
      and ($4::integer is null or s.line_number = $4)
      and ($5::text is null or b.trader_party = $5)
      and (s.book_number, s.line_number, case when $6 then l.ordinal else 0 end) > ($8::text, $9::integer, $10::integer)
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
       greatest(b.head_recorded_at, b.clock_at) as "recorded_at!"
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
