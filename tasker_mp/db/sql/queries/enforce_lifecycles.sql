-- Looks at the tasks that may be stale; see sql/functions/85_lifecycle.sql.
select * from tasker.enforce_lifecycles(%(limit)s::integer)
