#include "common/sample.h"

// Adds to the first program: b below 0, and the other outcome of AtLeast in another instantiation.
int main() { return Classify(0, -1) + static_cast<int>(AtLeast(3.0, 2.0)) == 3 ? 0 : 1; }
