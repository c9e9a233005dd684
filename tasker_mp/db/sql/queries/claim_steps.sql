-- Claims up to `capacity` ready steps for `owner` from `queues`, in their order, hydrated.
select * from tasker.claim_steps(
    %(owner)s::uuid, %(queues)s::text[], %(capacity)s::integer)
