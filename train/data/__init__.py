"""Pictures with captions: where they come from, who gets which, and in what order."""
