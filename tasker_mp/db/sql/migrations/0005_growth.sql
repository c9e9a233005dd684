-- Steps that come to be at run time: chosen by a decision, or one for each batch.
--
-- template_step: under which name the template has the step, where that is not its own (a batch
-- worker). inputs: what was given to this step alone. checkpoint: where an earlier run of it left
-- off. Null on the ordinary path: no row is rewritten, and none gets longer.
alter table tasker.steps add column template_step text, add column inputs json,
    add column checkpoint json;

-- How many of a task's deciding steps have ended: what its next steps are to be was computed for
-- one such number, and is refused under another.
alter table tasker.tasks add column growths integer not null default 0;
