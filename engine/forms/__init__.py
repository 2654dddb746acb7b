"""Asking people in the middle of a run.

`node` asks, `desk` keeps what a run has asked, `showing` is what its readers see, `answering` checks the answer
(`values`, `files`) and lets the run go on; `mails` and `mailer` bring the link to people.
"""
