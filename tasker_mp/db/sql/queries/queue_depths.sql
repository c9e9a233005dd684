-- Messages in each of the queues given, counted up to a limit, and the age of the oldest one.
select queue, messages, coalesce(oldest_ms, 0)
from tasker.queue_depths(%(queues)s::text[], %(limit)s::integer)
