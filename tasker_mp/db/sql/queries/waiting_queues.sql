-- The queues that hold messages, with the age of the oldest one and whether anybody serves them.
select queue, namespace, seconds, served from tasker.waiting_queues(%(lease)s::double precision)
