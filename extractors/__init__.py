"""Pictures and sound to the features that MAFnet reads, live or for a whole data set.

Tensors in, tensors out: this package knows neither `realtime` nor `mafnet`. Importing it loads
no torch, so that a command line can answer before the models are there.
"""
