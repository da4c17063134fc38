"""What can go wrong here.

VotingError
    NotFound    no such comparison, or another voter's: the two are never told apart
    Expired     the pair was shown too long ago, or has ended without a vote
    Refused     a field of a ballot that cannot be used
"""


class VotingError(Exception):
    """Something cannot be done as asked; the message says what to do."""


class NotFound(VotingError):
    """There is nothing here for this voter."""


class Expired(VotingError):
    """This pair takes no votes any more; another one can be shown."""


class Refused(VotingError):
    """This ballot cannot be used as sent."""
