"""Training of the toy model; the command line is `python -m dragkit.toy.train`."""
