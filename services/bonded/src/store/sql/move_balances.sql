-- Moves the running totals of lots by the sums of new movements: $1 lot, $2 total, $3 to $5 the amount.
update balance b set
    provisional_increase_declared = b.provisional_increase_declared + moved.provisional_increase_declared,
    provisional_increase_statutory_1 = b.provisional_increase_statutory_1 + moved.provisional_increase_statutory_1,
    provisional_increase_statutory_2 = b.provisional_increase_statutory_2 + moved.provisional_increase_statutory_2,
    provisional_decrease_declared = b.provisional_decrease_declared + moved.provisional_decrease_declared,
    provisional_decrease_statutory_1 = b.provisional_decrease_statutory_1 + moved.provisional_decrease_statutory_1,
    provisional_decrease_statutory_2 = b.provisional_decrease_statutory_2 + moved.provisional_decrease_statutory_2,
    actual_increase_declared = b.actual_increase_declared + moved.actual_increase_declared,
    actual_increase_statutory_1 = b.actual_increase_statutory_1 + moved.actual_increase_statutory_1,
    actual_increase_statutory_2 = b.actual_increase_statutory_2 + moved.actual_increase_statutory_2,
    actual_decrease_declared = b.actual_decrease_declared + moved.actual_decrease_declared,
    actual_decrease_statutory_1 = b.actual_decrease_statutory_1 + moved.actual_decrease_statutory_1,
    actual_decrease_statutory_2 = b.actual_decrease_statutory_2 + moved.actual_decrease_statutory_2
from (
    select m.lot_id,
           coalesce(sum(m.declared) filter (where m.total = 'PROVISIONAL_INCREASE'), 0) as provisional_increase_declared,
           coalesce(sum(m.statutory_1) filter (where m.total = 'PROVISIONAL_INCREASE'), 0) as provisional_increase_statutory_1,
           coalesce(sum(m.statutory_2) filter (where m.total = 'PROVISIONAL_INCREASE'), 0) as provisional_increase_statutory_2,
           coalesce(sum(m.declared) filter (where m.total = 'PROVISIONAL_DECREASE'), 0) as provisional_decrease_declared,
           coalesce(sum(m.statutory_1) filter (where m.total = 'PROVISIONAL_DECREASE'), 0) as provisional_decrease_statutory_1,
           coalesce(sum(m.statutory_2) filter (where m.total = 'PROVISIONAL_DECREASE'), 0) as provisional_decrease_statutory_2,
           coalesce(sum(m.declared) filter (where m.total = 'ACTUAL_INCREASE'), 0) as actual_increase_declared,
           coalesce(sum(m.statutory_1) filter (where m.total = 'ACTUAL_INCREASE'), 0) as actual_increase_statutory_1,
           coalesce(sum(m.statutory_2) filter (where m.total = 'ACTUAL_INCREASE'), 0) as actual_increase_statutory_2,
           coalesce(sum(m.declared) filter (where m.total = 'ACTUAL_DECREASE'), 0) as actual_decrease_declared,
           coalesce(sum(m.statutory_1) filter (where m.total = 'ACTUAL_DECREASE'), 0) as actual_decrease_statutory_1,
           coalesce(sum(m.statutory_2) filter (where m.total = 'ACTUAL_DECREASE'), 0) as actual_decrease_statutory_2
    from unnest($1::text[], $2::text[], $3::numeric[], $4::numeric[], $5::numeric[]) as m (lot_id, total, declared, statutory_1, statutory_2)
    group by m.lot_id
) as moved
where b.lot_id = moved.lot_id
