-- Registers a template with its plan; the same text again is the same row, moved to the front.
-- p_steps: a JSON array of {step_no, name, parents, children, ancestors, implied}.
create function tasker.register_template(
    p_namespace text, p_name text, p_version text, p_digest bytea, p_definition json, p_steps json)
returns integer
language plpgsql as $$
declare
    v_id integer;
begin
    insert into tasker.templates (namespace, name, version, digest, definition, sinks)
    select p_namespace, p_name, p_version, p_digest, p_definition,
           count(*) filter (where json_array_length(s.value -> 'children') = 0)
    from json_array_elements(p_steps) s
    on conflict (namespace, name, version, digest)
        do update set registered_at = clock_timestamp()
    returning template_id into v_id;

    insert into tasker.template_steps
        (template_id, step_no, name, parents, children, ancestors, implied)
    select v_id, s.step_no, s.name, s.parents, s.children, s.ancestors, s.implied
    from json_to_recordset(p_steps)
        s(step_no integer, name text, parents integer, children integer[], ancestors integer[],
          implied integer[])
    on conflict (template_id, step_no) do nothing;

    perform tasker.create_queues(p_namespace);
    if exists (select from json_array_elements(p_definition -> 'steps') s,
                           json_array_elements(s.value -> 'publishes_events') e
               where e.value ->> 'delivery_mode' <> 'fast') then
        perform tasker.create_event_queue(p_namespace);
    end if;
    return v_id;
end $$;
