"""The nodes of a graph: graphon's where they do what an author expects, our own where they do not.

Begin with `kinds`, the table of all types; `factory` makes them with the `services` that the nodes of a run share.
"""
