-- Messages waiting in the queues given, and the age of the oldest in milliseconds.
select coalesce(sum(m.queue_length), 0)::bigint,
       coalesce(max(m.oldest_msg_age_sec), 0)::bigint * 1000
from unnest(%(queues)s::text[]) q(name) cross join lateral pgmq.metrics(q.name) m
