"""The tutorial: what clew does, one idea in each test, read from top to bottom. Only public names are used.

    01 threads        a conversation is made, found, listed
    02 items          what is in it, kept to the byte
    03 pages          reading it, from either end
    04 following      reading on as it grows
    05 once           repeating a write without doubling it
    06 expectations   writing only on what was seen
    07 status         one worker for each call
    08 cuts, forks    shortening it, and going another way
    09 deleting       what a tombstone is for
    10 expiring       a time to live
    11 routes         from a channel's conversation to a session
    12 values         JSON that other programs share
    13 errors         what each one tells
    14 owners         nobody sees another's

Each runs in memory, on a SQLite file and on a real Valkey.
"""
