"""The one door to albumentations: at its import it must not ask the network for a newer version of itself."""
import os

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations as A

__all__ = ["A"]
