"""Tests: unit/ (pure), service/ (real broker and store), faults/, e2e/. Each mirrors what it tests."""
