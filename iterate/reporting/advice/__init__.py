"""What to try next: each rule looks at results, and says what it would do and why."""
