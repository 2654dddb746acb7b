"""What the contract's operations do: one module per tag, one plain function per operation.

A handler asks the store or the engine, decides, and answers with the contract's model. It does not check shapes
(the server did, against ``openapi.yaml``), does not render errors (it raises ``Refusal``), and keeps no state.
"""
