-- Enqueues claimed steps again, no attempt charged.
select tasker.give_back(%(owner)s::uuid, %(tasks)s::uuid[], %(nos)s::integer[], %(reason)s)
