"""What is measured of a net at a step, one file each: functions of a model and a closure that computes a batch's loss.

All evaluations of a measure see the same batch and the same dropout masks, in the mode the net is in; weights,
gradients, buffers, modes and random state are afterwards what they were, bit for bit (`untouched.py`).
"""
