-- Gives back everything that a supervisor holds and forgets it.
select tasker.recover_owner(%(owner)s::uuid)
