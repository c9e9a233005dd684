-- A third of a page for steps as they are submitted: each is written again, and longer, when it is
-- claimed, when a parent has finished and when it has its result. With half a page, one in six of
-- these went to another page, to be indexed anew, and left behind a page that nothing filled.
alter table tasker.steps set (fillfactor = 34);
alter table tasker.tasks set (fillfactor = 45);

-- What is asked of these tables is asked by their keys. A sample of 3,000 rows says enough of the
-- rest; one of 30,000, read through their results, was taken every ten seconds while they grew.
do $$
declare
    wide constant text[] := array['result', 'metadata', 'error', 'inputs', 'checkpoint', 'context',
                                  'children', 'ancestors', 'tags'];
    found record;
begin
    for found in
        select c.oid::regclass as name, a.attname as column_name
        from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.oid in ('tasker.steps'::regclass, 'tasker.tasks'::regclass)
          and a.attnum > 0 and not a.attisdropped
    loop
        execute format('alter table %s alter column %I set statistics %s', found.name,
                       found.column_name,
                       case when found.column_name = any (wide) then 0 else 10 end);
    end loop;
end $$;
