"""What people do with labels: look for mistakes, correct them, name the groups, recognise them again.

Labels come from any clusterer; -1 is noise. ``review`` lists the recordings to listen to first, ``refine`` moves those
that stand in the wrong group, ``constraints`` applies what a listener said about pairs, ``prototypes`` recognises known
groups in new recordings, ``cluster_map`` writes which file is in which group.
"""

from audioclust.curation.prototypes import Prototypes
from audioclust.curation.review import review

__all__ = ["Prototypes", "review"]
