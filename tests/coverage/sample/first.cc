#include "common/sample.h"

// The check of a is seen both ways, that of b only passes; a > 0 is seen both ways, b > 100 only false.
int main() { return Classify(7, 0) + Classify(1, 1) + Classify(-1, 2) + AtLeast(1, 2) == 4 ? 0 : 1; }
