-- Keeps the lease; recovers the steps of supervisors whose lease has run out.
select tasker.heartbeat(%(supervisor)s::uuid, %(lease)s::double precision)
