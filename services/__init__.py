"""The services, one folder each, on a shared ground. They never import one another."""
