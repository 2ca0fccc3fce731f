"""What a kernel costs on a card: busy cycles of each resource, overlap, bytes. Nothing here was measured by us.

``constants`` has the figures of each architecture with their sources, ``matmul`` estimates a plan that does not exist
yet from its numbers alone, ``kernel`` estimates a lowered kernel from its statements.
"""
