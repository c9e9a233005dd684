-- Submits tasks; see sql/functions/30_submit.sql.
select * from tasker.submit_tasks(
    %(tasks)s::uuid[], %(templates)s::integer[], %(priorities)s::smallint[], %(contexts)s::json,
    %(details)s::json, %(keys)s::text[], %(digests)s::bytea[])
