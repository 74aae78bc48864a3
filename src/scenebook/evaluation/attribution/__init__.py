"""Maps of where the evidence for a class lies in an image, float32 `(h, w)`: zeros where no place speaks for it."""
