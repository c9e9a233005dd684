-- Claims one ready step for `owner` without its input.
select * from tasker.claim_steps(%(owner)s::uuid, %(queues)s::text[], 1, true)
