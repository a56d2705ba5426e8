"""An agent that answers questions about clew, from clew's own documentation: the one behind `clew serve`.

`models` says which model answers, for the command line too; `search` finds passages in the documentation that ships with
clew; `agent` answers in a ChatKit thread. Importing this package brings nothing: each module names the extra it needs.
"""
