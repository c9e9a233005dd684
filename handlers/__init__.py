"""The example workflows' handlers: four exact computations on a DAG each, and an order."""
