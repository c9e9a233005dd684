-- Live and dead rows and size of tasker's tables and queues as the statistics have them, and for how
-- many seconds the oldest transaction of any session here has been open: while it is, nothing that
-- died after its start can be vacuumed. Reads only; sizes take a lock that conflicts with DDL alone.
select coalesce(sum(t.n_live_tup), 0)::bigint,
       coalesce(sum(t.n_dead_tup), 0)::bigint,
       coalesce((select extract(epoch from clock_timestamp() - min(a.xact_start))
                 from pg_stat_activity a
                 where a.datname = current_database() and a.pid <> pg_backend_pid()
                   and a.backend_type = 'client backend'), 0)::double precision,
       coalesce(sum(pg_total_relation_size(t.relid)), 0)::bigint
from pg_stat_user_tables t
where t.schemaname in ('tasker', 'pgmq')
