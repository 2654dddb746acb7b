"""A run from its start to its end, on its own thread, in this process or in the one that takes it up.

`opening` writes it down, `machine` gives it a thread, `graph` builds the engine, `execute` drives it with what
`node_services` hands its nodes, `publisher` sends what the engine tells; `live` is what
everybody else sees of it. `standstill` and `saved` keep one that waits, `keeper`, `recovery`, `taking_up` and
`unattended` look after those whose process is gone.
"""
