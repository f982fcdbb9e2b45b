"""Decides what an event leads to, opens and moves legs, asks humans, and commands dispatch."""
