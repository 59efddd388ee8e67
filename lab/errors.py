"""What goes wrong in the lab, in words for the person at the keyboard."""


class LabError(Exception):
    """The lab cannot do what it was asked; the text says why and what to do about it."""
