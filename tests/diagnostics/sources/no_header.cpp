#include "missing.h"

void kernel_main() {}
