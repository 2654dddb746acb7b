"""Tools that agents and tool nodes call: the ones that come with the server, and operations of imported APIs."""
