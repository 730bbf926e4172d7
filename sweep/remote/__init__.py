"""A sweep's folder in a bucket (S3 and the like), with a mirror of it on each node.

The bucket is the truth. A mirror lists what the bucket has; what is large stands in it as an empty
file until it is read. All other rooms work on the mirror as on any folder: what they write goes
into the bucket first (``sweep.core.mirrors``).
"""
