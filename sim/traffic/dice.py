"""A seeded source of chance with the few draws that the generator is made of."""

import random

__all__ = ["Dice"]


class Dice(random.Random):
    """``random.Random`` with weights, edges and chances."""

    def chance(self, probability):
        """True with the given probability, 0 to 1."""
        return self.random() < probability

    def weighted(self, table):
        """One of ``(value, weight)`` pairs."""
        roll = self.random() * sum(weight for _, weight in table)
        for value, weight in table:
            roll -= weight
            if roll < 0:
                return value
        return table[-1][0]

    def u16(self):
        """Any 16-bit number; the ends are as likely as the middle."""
        return self.weighted(((self.getrandbits(16), 6), (self.randrange(4), 1), (0xFFFF - self.randrange(4), 1)))

    def words(self, most):
        """A number of bytes of options: 0 or a multiple of 4 up to ``most``."""
        return self.weighted(((0, 3), (12, 2), (4 * self.randint(0, most // 4), 4), (most, 1)))

    def near(self, value, reach=1):
        """``value``, or a number within ``reach`` of it; never below 0."""
        return max(0, value + self.randint(-reach, reach))
