"""Which images the report shows, and why."""
