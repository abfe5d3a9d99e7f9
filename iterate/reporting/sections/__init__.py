"""What each section of a report shows, prepared for its template."""
