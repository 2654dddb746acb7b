"""Reading the text of documents, each in a throw-away process, because a file may be made to break its reader."""
