"""MLflow plugin: artifacts that travel through the tracking server only, and as a stream.

`repository` is what MLflow's registry loads, and `layer` stands in front of MLflow's app. Nothing is imported here, since the
layer is loaded before MLflow, and the repositories while MLflow is.
"""
