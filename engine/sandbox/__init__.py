"""Running code from strangers: one throw-away process for each piece of code, shut off from the host."""
