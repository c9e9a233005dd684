-- Enqueues waiting steps whose time has come; how many, and seconds until the next one (or null).
select promoted, greatest(0, extract(epoch from next_due - clock_timestamp()))::double precision
from tasker.promote_due(%(limit)s::integer)
