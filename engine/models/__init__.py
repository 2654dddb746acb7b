"""Language models that apps can be run with."""
