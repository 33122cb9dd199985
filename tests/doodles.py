"""Random line drawings and strokes for them."""

import cv2
import numpy as np


def draw(rng, height, width):
    """Draw random lines, open and closed shapes, gray areas, and sometimes noise."""
    sketch = np.full((height, width), 255, np.uint8)

    def place():
        return int(rng.integers(-5, width + 5)), int(rng.integers(-5, height + 5))

    for _ in range(rng.integers(1, 12)):
        level, thick = int(rng.integers(0, 200)), int(rng.integers(1, 4))
        smooth = cv2.LINE_AA if rng.random() < 0.5 else cv2.LINE_8
        match rng.integers(5):
            case 0:
                cv2.line(sketch, place(), place(), level, thick, smooth)
            case 1:
                cv2.circle(sketch, place(), int(rng.integers(2, 9 + min(height, width) // 2)), level, thick)
            case 2:
                cv2.rectangle(sketch, place(), place(), level, -1 if rng.random() < 0.2 else thick)
            case 3:
                axes = int(rng.integers(2, 4 + width // 2)), int(rng.integers(2, 4 + height // 2))
                cv2.ellipse(sketch, place(), axes, 0, 0, int(rng.integers(200, 360)), level, thick, smooth)
            case _:
                cv2.circle(sketch, place(), int(rng.integers(2, 10)), level, -1)
    if rng.random() < 0.3:
        sketch = np.clip(sketch + rng.integers(-40, 40, sketch.shape), 0, 255).astype(np.uint8)
    return sketch


def scribble(rng, height, width):
    """Paint random strokes of few colors; some have soft edges, some are too transparent to count."""
    hints = np.zeros((height, width, 4), np.uint8)
    colors = rng.integers(0, 256, (5, 3)).tolist()
    for _ in range(rng.integers(0, 9)):
        start = int(rng.integers(0, width)), int(rng.integers(0, height))
        reach = 9 if rng.random() < 0.6 else max(height, width)
        stop = start[0] + int(rng.integers(-reach, reach)), start[1] + int(rng.integers(-reach, reach))
        color = (*colors[rng.integers(5)], int(rng.choice([255, 255, 255, 128, 100])))
        smooth = cv2.LINE_AA if rng.random() < 0.3 else cv2.LINE_8
        cv2.line(hints, start, stop, color, int(rng.integers(1, 9)), smooth)
    return hints
