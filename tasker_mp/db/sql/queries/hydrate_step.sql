-- A claimed step with its input.
select * from tasker.hydrate(array[%(task)s::uuid], array[%(step_no)s::integer], %(claim)s::bigint)
