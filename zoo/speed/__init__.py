"""What this machine gives: measured in seconds, judged by what its processor should."""
