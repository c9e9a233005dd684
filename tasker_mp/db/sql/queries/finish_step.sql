-- Commits one result; see sql/functions/55_finish_step.sql.
select * from tasker.finish_step(
    %(owner)s::uuid, %(task)s::uuid, %(no)s::integer, %(event)s::uuid, %(payload)s::json,
    %(metadata)s::json, %(results)s::integer, %(capacity)s::integer, %(released)s::bigint[])
