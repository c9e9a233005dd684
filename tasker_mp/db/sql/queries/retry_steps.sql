-- Retries one step of a task by hand, or where `step_no` is null all that failed or wait.
select * from tasker.retry_steps(%(task)s::uuid, %(step_no)s::integer, %(actor)s, %(reason)s)
