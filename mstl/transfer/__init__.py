"""From a weights file to a model: read, plan, load, freeze, and know where published weights are."""
