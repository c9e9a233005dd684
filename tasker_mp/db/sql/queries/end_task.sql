-- Cancels or resolves a task by hand, with all of its steps that are not over.
select * from tasker.end_task(%(task)s::uuid, %(state)s::tasker.task_state, %(actor)s, %(reason)s)
