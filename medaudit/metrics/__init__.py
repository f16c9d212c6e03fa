"""Pure functions on maps: numpy in, numbers out."""
