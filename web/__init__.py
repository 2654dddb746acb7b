"""Pages for people: sign in, try an app, answer a device, see one's sessions. Flask; few pages run scripts."""
