-- The lots of lines ($1 book, $2 line) that hold or await something, the oldest $4 of each line, and the lots of
-- lists ($3) whatever they hold.
select l.lot_id as "lot_id!", l.book_number as "book_number!", l.line_number as "line_number!", l.ordinal as "ordinal!",
       l.entry_date as "entry_date?", l.storage_until as "storage_until?", l.list_number as "list_number?", l.list_line as "list_line?",
       b.provisional_increase_declared as "provisional_increase_declared!",
       b.provisional_increase_statutory_1 as "provisional_increase_statutory_1!",
       b.provisional_increase_statutory_2 as "provisional_increase_statutory_2!",
       b.provisional_decrease_declared as "provisional_decrease_declared!",
       b.provisional_decrease_statutory_1 as "provisional_decrease_statutory_1!",
       b.provisional_decrease_statutory_2 as "provisional_decrease_statutory_2!",
       b.actual_increase_declared as "actual_increase_declared!",
       b.actual_increase_statutory_1 as "actual_increase_statutory_1!",
       b.actual_increase_statutory_2 as "actual_increase_statutory_2!",
       b.actual_decrease_declared as "actual_decrease_declared!",
       b.actual_decrease_statutory_1 as "actual_decrease_statutory_1!",
       b.actual_decrease_statutory_2 as "actual_decrease_statutory_2!"
from lot l join balance b using (lot_id)
where l.lot_id in (
    select o.lot_id
    from unnest($1::text[], $2::integer[]) as line (book_number, line_number)
    cross join lateral (
        select o.lot_id
        from lot o join balance s using (lot_id)
        where o.book_number = line.book_number and o.line_number = line.line_number
          and (s.actual_increase_declared > s.actual_decrease_declared or s.provisional_increase_declared > 0)
        order by o.entry_date, o.list_number nulls first, o.list_line, o.ordinal
        limit $4
    ) as o
    union
    select p.lot_id from stock_list_part p where p.list_number = any($3)
)
