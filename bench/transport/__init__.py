"""Records from one process to another, through each way that there is."""
