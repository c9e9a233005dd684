-- Resolves a step by hand, with a result or none.
select * from tasker.resolve_step(
    %(task)s::uuid, %(step_no)s::integer, %(result)s::json, %(actor)s, %(reason)s)
