"""The requester's side: choose an offer, open a job, wait for its answer, verify what came back.

`from requester import Client` is the whole surface for programs.
"""

from requester.client import Client
from requester.records.jobs import JobResult, Progress

__all__ = ["Client", "JobResult", "Progress"]
