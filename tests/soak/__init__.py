"""What takes long: faults that are injected again and again into real processes, and loads of many hours.

`make soak` runs it and writes down what came out.
"""
