"""Pages for people: sign in, try an app, answer a device, see one's sessions. Flask; only trying an app runs scripts."""
