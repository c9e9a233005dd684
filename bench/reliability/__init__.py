"""What deaths and deadlines cost: real processes, real signals, seen from outside."""
