"""Calculated attributes: values that are computed from the objects of a profile when they are asked for."""
