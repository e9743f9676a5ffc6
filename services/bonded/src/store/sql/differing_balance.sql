-- The first lot of a book whose running totals are not the sum of its movements.
select coalesce(kept.lot_id, summed.lot_id) as "lot_id!"
from (select * from balance where book_number = $1) as kept
full join (
    select lot_id,
           coalesce(sum(declared) filter (where total = 'PROVISIONAL_INCREASE'), 0) as provisional_increase_declared,
           coalesce(sum(statutory_1) filter (where total = 'PROVISIONAL_INCREASE'), 0) as provisional_increase_statutory_1,
           coalesce(sum(statutory_2) filter (where total = 'PROVISIONAL_INCREASE'), 0) as provisional_increase_statutory_2,
           coalesce(sum(declared) filter (where total = 'PROVISIONAL_DECREASE'), 0) as provisional_decrease_declared,
           coalesce(sum(statutory_1) filter (where total = 'PROVISIONAL_DECREASE'), 0) as provisional_decrease_statutory_1,
           coalesce(sum(statutory_2) filter (where total = 'PROVISIONAL_DECREASE'), 0) as provisional_decrease_statutory_2,
           coalesce(sum(declared) filter (where total = 'ACTUAL_INCREASE'), 0) as actual_increase_declared,
           coalesce(sum(statutory_1) filter (where total = 'ACTUAL_INCREASE'), 0) as actual_increase_statutory_1,
           coalesce(sum(statutory_2) filter (where total = 'ACTUAL_INCREASE'), 0) as actual_increase_statutory_2,
           coalesce(sum(declared) filter (where total = 'ACTUAL_DECREASE'), 0) as actual_decrease_declared,
           coalesce(sum(statutory_1) filter (where total = 'ACTUAL_DECREASE'), 0) as actual_decrease_statutory_1,
           coalesce(sum(statutory_2) filter (where total = 'ACTUAL_DECREASE'), 0) as actual_decrease_statutory_2
    from movement
    where book_number = $1
    group by lot_id
) as summed using (lot_id)
where (kept.provisional_increase_declared, kept.provisional_increase_statutory_1, kept.provisional_increase_statutory_2,
       kept.provisional_decrease_declared, kept.provisional_decrease_statutory_1, kept.provisional_decrease_statutory_2,
       kept.actual_increase_declared, kept.actual_increase_statutory_1, kept.actual_increase_statutory_2,
       kept.actual_decrease_declared, kept.actual_decrease_statutory_1, kept.actual_decrease_statutory_2)
    is distinct from
      (summed.provisional_increase_declared, summed.provisional_increase_statutory_1, summed.provisional_increase_statutory_2,
       summed.provisional_decrease_declared, summed.provisional_decrease_statutory_1, summed.provisional_decrease_statutory_2,
       summed.actual_increase_declared, summed.actual_increase_statutory_1, summed.actual_increase_statutory_2,
       summed.actual_decrease_declared, summed.actual_decrease_statutory_1, summed.actual_decrease_statutory_2)
order by 1
limit 1
