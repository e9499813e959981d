"""A run past one machine: units of work in the processes of a Dask cluster, files that all see.

    executor.py   what a command talks to: slots as in execution.py, wherever they are
    client.py     the connection to the scheduler
    remote.py     what runs in a Dask worker: it begins, asks and ends processes of ours
    child.py      such a process: carries out units, as a worker process of this machine does
    folder.py     a folder that all machines see, by fsspec
    kept.py       finished work in that folder, signed
"""
