-- Enqueues waiting steps whose time has come; how many, and seconds until the next one (or null,
-- which `greatest` alone would take for 0).
select promoted,
       case when next_due is not null then
           greatest(0, extract(epoch from next_due - clock_timestamp()))::double precision
       end
from tasker.promote_due(%(limit)s::integer)
