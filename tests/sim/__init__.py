"""The real services in a simulated world: virtual time, a model of the broker, faults at every await; a run, a seed."""
