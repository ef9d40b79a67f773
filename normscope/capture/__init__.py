"""What is seen of a model at a step: from hooks on its layers to exact numbers and histograms."""
