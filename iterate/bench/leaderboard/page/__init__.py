"""A leaderboard as one HTML page."""
