"""A paper's claims, held against a run: reported, measured, verdict, and why."""
