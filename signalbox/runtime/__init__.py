"""What the Lambdas of Signalbox share. Light on purpose: a cold start pays for each import.

Pure logic takes its ports as arguments (`router`, `once`, `put_events`); `aws` makes clients and sorts AWS's errors
into the two that callers act on, `errors.Refused` and `errors.Unavailable`.
"""
