class RankingError(Exception):
    """Something about sums, figures or simulated votes. The message says what and what to do."""
