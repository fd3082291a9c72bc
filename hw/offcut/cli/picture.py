"""Draw one super-frame and the segments that it became."""
def draw(frame: bytes, segments: list[bytes]) -> str: return ""
