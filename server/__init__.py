"""The journey of a request. Importing the package silences one warning that no user can act on."""

import warnings

# connexion imports Starlette's test client, which asks for a successor of httpx: nothing of ours uses it.
warnings.filterwarnings("ignore", message=r"Using `httpx` with `starlette\.testclient`")
