"""Whether the work stays as fast with much of it waiting, done, in one task, or large."""
