"""An app's definition (Dify DSL): read from text, checked, its quirks mended, kept and given out again.

Begin with `reading`: it goes from the text (`yaml_guard`, `yaml_caps`) to one of two bodies (`body`), a workflow
(`graph_document`, then `adapt` and `adapt_graph`) or a model configuration (`config_document`), which `easy_graph`
turns into a small graph.
"""
