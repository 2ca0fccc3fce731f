#include "../../../examples/x.h"
