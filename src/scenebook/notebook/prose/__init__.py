"""The sentences of the report, a module a stage."""
