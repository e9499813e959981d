"""A run past one machine: units of work in the processes of a Dask cluster, files that all see.

executor.py is what a command talks to, by client.py; remote.py runs in a Dask worker, and child.py
in the processes that it begins, which carry out units as worker processes of this machine do;
orders.py is what these tell each other. folder.py is a folder that all machines see, kept.py the
finished work in it, signed.
"""
