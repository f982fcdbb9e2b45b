"""Takes what sources publish: keeps it, checks it, finds the person, and hands accepted events to the router."""
