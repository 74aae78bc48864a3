"""Maps of where the evidence for a class lies in an image.

A map is float32 `(h, w)`, at least 0, of any resolution; all zeros where no place speaks for the class.
"""
