-- Keeps the lease, says what the supervisor is doing, and recovers the steps of supervisors whose lease
-- has run out.
select tasker.heartbeat(%(supervisor)s::uuid, %(lease)s::double precision, %(state)s)
