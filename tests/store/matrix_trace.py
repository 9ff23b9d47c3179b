"""The calls of a scenario as strace(1) sees them: what the shim must not miss."""
