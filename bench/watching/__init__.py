"""What it costs the work to be watched."""
