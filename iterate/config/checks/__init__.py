"""What is wrong with composed files, told with where and what would be right."""
