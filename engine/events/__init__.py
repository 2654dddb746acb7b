"""From what happens in the engine to what a client reads.

The way of one event: `layers` hears it from the engine, `text_filter` orders the text, `mapper` (or `easy_mapper`)
makes the payload of it (`payloads`), `said` and `masking` keep secrets out, `wire` writes it, `log` numbers it, and
`writer` stores it before anybody is shown it.
"""
