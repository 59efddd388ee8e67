"""Bringing a director that runs already under management: look, report, declare. Nothing on
the machine changes by it, and applying afterwards finds nothing to do in its table."""
