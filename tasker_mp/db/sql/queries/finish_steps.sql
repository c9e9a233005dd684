-- Commits a batch of results; see sql/functions/50_finish.sql. Array literals, one place a result.
select * from tasker.finish_steps(
    %(owner)s::uuid, %(tasks)s::uuid[], %(nos)s::integer[], %(events)s::uuid[],
    %(states)s::tasker.step_state[], %(payloads)s::json, %(metadata)s::json,
    %(delays)s::double precision[], %(crashed)s::boolean[], %(results)s::integer[],
    %(capacity)s::integer, %(released)s::bigint[],
    %(growing)s::uuid[], %(growths)s::json, %(durable)s::json)
