"""Cases of our own, with what the reference answered when it was last asked."""
