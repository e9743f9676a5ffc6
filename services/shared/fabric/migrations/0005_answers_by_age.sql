-- Answers are dropped by age. They are written in the order of time, so a coarse index finds the old ones, and costs
-- next to nothing when they are written.
create index answer_recorded on fabric.answer using brin (recorded_at);
