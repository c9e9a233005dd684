-- Announces a supervisor and recovers what a dead predecessor held.
select tasker.register_supervisor(
    %(supervisor)s::uuid, %(worker_id)s, %(host)s, %(pid)s::integer, %(namespaces)s::text[],
    %(predecessor)s::uuid)
