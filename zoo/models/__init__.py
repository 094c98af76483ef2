"""CLIP in paddle. Importing this package imports paddle, prepared as zoo.runtime says."""

from zoo.runtime import import_paddle

import_paddle()
