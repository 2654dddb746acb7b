"""Looking things up in datasets: reading documents, cutting them, and the node that asks."""
