"""What a request to run an app brings: the variables that its author declared, and the checks of their values.

Begin with `variables`, one form of a declaration for all modes; `declared` checks the values, `checks` everything else
that can be refused before a run starts; `schema` and `parameters` tell clients the same in advance.
"""
