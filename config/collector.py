"""The garbage collector of a process that serves or works for long."""

import gc

# Objects made until the collector looks at the youngest, and how often it then looks at older ones too. A delivery of
# thousands of records or a large answer makes hundreds of thousands, hardly any in a circle: with the usual 700 half of
# the time of deciding records went into looking through them.
THRESHOLDS = (20_000, 20, 20)


def let_collector_rest() -> None:
    """Take what is loaded by now as there to stay, and look at the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
