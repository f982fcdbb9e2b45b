"""Hands each route command to its destination's channel, cut to what that destination may see."""
