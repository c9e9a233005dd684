"""What the first designs of the system promised of the five workflows, as a check."""
