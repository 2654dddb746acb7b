"""Pages for people: sign in, answer a device, see one's sessions. Flask, no JavaScript."""
