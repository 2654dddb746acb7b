"""Files of people and of runs: what may come in, where it is kept, and who gets a link to it.

Begin with `service`; `run_files` and `runtime` are the same for the nodes of one run.
"""
